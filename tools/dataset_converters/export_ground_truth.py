"""Export the ground-truth masks of a data set in the formats of pseudo labels.

Example:
    python tools/dataset_converters/export_ground_truth.py CONFIG --split corloc --out data/truth
"""

import argparse
from collections.abc import Sequence

from mmlabelpenet.apis import add_common_arguments, load_config, run_command
from mmlabelpenet.apis.exporting import SPLITS, export_truth
from mmlabelpenet.export import FORMATS, SEGMENTATIONS


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description='Export true masks as labels')
    parser.add_argument('config', help='config file')
    parser.add_argument('--out', required=True, help='folder to write to')
    parser.add_argument('--format', default='coco', choices=FORMATS)
    parser.add_argument(
        '--split',
        default='corloc',
        choices=SPLITS,
        help="whose dataloader's photos (corloc: those that are trained on, with their truth)",
    )
    parser.add_argument(
        '--segmentation', default='rle', choices=SEGMENTATIONS, help='how COCO JSON holds masks'
    )
    parser.add_argument(
        '--link', action='store_true', help='link photos, not copy them (voc and yolo)'
    )
    add_common_arguments(parser)
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Export.

    Args:
        argv: Arguments of the command line without the program; None reads ``sys.argv``.

    Raises:
        UserError: On bad input.
    """
    args = parse_args(argv)
    written = export_truth(
        load_config(args),
        args.out,
        format=args.format,
        split=args.split,
        segmentation=args.segmentation,
        link=args.link,
    )
    print(f'{written["instances"]} instances of {written["photos"]} photos are in {args.out}')


if __name__ == '__main__':
    run_command(main)
