"""Generate the Shapes data set: photos of textured shapes in VOC devkit layout."""

import argparse
import sys

from mmlabelpenet.datasets.shapes import make_shapes
from mmlabelpenet.utils import UserError


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--out', default='data/shapes/Shapes', help='folder to make')
    parser.add_argument('--num-train', type=int, default=240, help='photos to train on')
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
    return parser.parse_args()


def main() -> int:
    """Generate, unless it is there already.

    Returns:
        The exit code: 0, or 2 after a sentence about bad input.
    """
    args = parse_args()
    try:
        made = make_shapes(
            args.out, args.num_train, args.num_val, args.seed, tuple(args.image_size)
        )
    except UserError as error:
        print(error, file=sys.stderr)
        return 2
    count = f'{args.num_train} + {args.num_val} photos'
    print(f'{args.out}: made {count}' if made else f'{args.out}: {count} are there already')
    return 0


if __name__ == '__main__':
    sys.exit(main())
