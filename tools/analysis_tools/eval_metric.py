"""Measure the predictions of a file: no model, no images, no GPU.

Example:
    python tools/test.py CONFIG CHECKPOINT --out predictions.pkl
    python tools/analysis_tools/eval_metric.py CONFIG predictions.pkl --eval bbox segm coco
"""

import argparse
from collections.abc import Sequence

from mmlabelpenet.apis import (
    add_evaluation_arguments,
    add_trust_option,
    config_parser,
    evaluate_file,
    load_config,
    run_command,
)
from mmlabelpenet.utils import trust_files


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = config_parser('Measure dumped predictions')
    parser.add_argument(
        'predictions',
        help='.pkl that tools/test.py --out has written, or .json of labels in COCO format',
    )
    add_evaluation_arguments(parser)
    add_trust_option(parser)
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Measure."""
    args = parse_args(argv)
    with trust_files(args.trust_checkpoint):
        evaluate_file(
            load_config(args, runs_model=False),
            args.predictions,
            args.eval,
            args.split,
            args.markdown,
        )


if __name__ == '__main__':
    run_command(main)
