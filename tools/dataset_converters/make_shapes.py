"""Generate the Shapes data set: images of textured shapes in VOC devkit layout."""

import argparse
from collections.abc import Sequence

from mmlabelpenet.apis import run_command
from mmlabelpenet.testing import make_shapes


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--out', default='data/shapes/Shapes', help='folder to make')
    parser.add_argument('--num-train', type=int, default=160, help='photos to train on')
    parser.add_argument('--num-val', type=int, default=60, help='photos to test on')
    parser.add_argument('--seed', type=int, default=0, help='another seed, other photos')
    parser.add_argument(
        '--image-size',
        type=int,
        nargs=2,
        default=(240, 288),
        metavar=('MIN', 'MAX'),
        help='shortest and longest side in pixels',
    )
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Generate, unless it is there already.

    Args:
        argv: Arguments of the command line without the program; None reads ``sys.argv``.

    Raises:
        UserError: On bad input.
    """
    args = parse_args(argv)
    made = make_shapes(args.out, args.num_train, args.num_val, args.seed, tuple(args.image_size))
    count = f'{args.num_train} + {args.num_val} photos'
    print(f'{args.out}: made {count}' if made else f'{args.out}: {count} are there already')


if __name__ == '__main__':
    run_command(main)
