"""Export the ground-truth masks of a data set in the formats of pseudo labels.

Example:
    python tools/dataset_converters/export_ground_truth.py CONFIG --split corloc --out data/truth
"""

import argparse
from collections.abc import Sequence

from mmlabelpenet.apis import (
    Layout,
    add_export_arguments,
    config_parser,
    export_ground_truth,
    load_config,
    run_command,
)


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = config_parser('Export ground-truth masks as labels')
    add_export_arguments(parser, split='corloc')
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Export.

    Args:
        argv: Arguments of the command line without the program; None reads ``sys.argv``.

    Raises:
        UserError: On bad input.
    """
    args = parse_args(argv)
    written = export_ground_truth(
        load_config(args, runs_model=False),
        Layout.of(args),
        split=args.split,
    )
    print(f'{written["instances"]} instances of {written["photos"]} photos are in {args.out}')


if __name__ == '__main__':
    run_command(main)
