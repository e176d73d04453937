"""Generate the Shapes data set: images of textured shapes in the layout of a VOC devkit."""

import argparse
from collections.abc import Sequence

from mmlabelpenet.apis import run_command
from mmlabelpenet.testing import make_shapes
from mmlabelpenet.utils import Parser, UserError, number


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = Parser(description=__doc__)
    parser.add_argument(
        '--out', help='folder to create; default: data/shapes/Shapes, or HardShapes there'
    )
    parser.add_argument(
        '--hard',
        action='store_true',
        help='objects that touch, stand on a ground of their class, and show it in one part alone',
    )
    parser.add_argument('--num-train', type=number(int, 1), default=160, help='training photos')
    parser.add_argument('--num-val', type=number(int, 1), default=60, help='test photos')
    parser.add_argument('--seed', type=number(), default=0, help='seed of the photos')
    parser.add_argument(
        '--image-size',
        type=number(int, 16, 4096),
        nargs=2,
        default=(240, 288),
        metavar=('MIN', 'MAX'),
        help='shortest and longest side in pixels',
    )
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Generate the data set, unless it exists already.

    Args:
        argv: Arguments of the command line without the program; None reads ``sys.argv``.

    Raises:
        UserError: On bad input.
    """
    args = parse_args(argv)
    if args.image_size[0] > args.image_size[1]:
        raise UserError('--image-size takes the shortest side first.')
    out = args.out or f'data/shapes/{"HardShapes" if args.hard else "Shapes"}'
    size = tuple(args.image_size)
    made = make_shapes(out, args.num_train, args.num_val, args.seed, size, args.hard)
    verb = 'made' if made else 'found'
    print(f'{out}: {verb} {args.num_train} + {args.num_val} photos')


if __name__ == '__main__':
    run_command(main)
