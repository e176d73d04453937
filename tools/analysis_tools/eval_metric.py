"""Measure predictions that a file holds: no model, no images, no GPU.

Example:
    python tools/test.py CONFIG CHECKPOINT --out predictions.pkl
    python tools/analysis_tools/eval_metric.py CONFIG predictions.pkl --eval bbox segm coco
"""

import argparse
from collections.abc import Sequence

from mmlabelpenet.apis import add_common_arguments, evaluate_file, load_config, run_command
from mmlabelpenet.evaluation import METRICS_BY_NAME


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description='Measure dumped predictions')
    parser.add_argument('config', help='config file, whose data sets hold the truth')
    parser.add_argument(
        'predictions',
        help='.pkl that tools/test.py --out has written, or .json of labels in COCO format',
    )
    parser.add_argument(
        '--eval',
        nargs='+',
        metavar='NAME',
        help=f'what to measure: {", ".join(METRICS_BY_NAME)} (default: what the config says); '
        'corloc and pseudo are measured on the training photos',
    )
    parser.add_argument(
        '--split',
        choices=['train', 'test'],
        help='measure all of --eval on the training photos or on the test photos',
    )
    parser.add_argument('--markdown', metavar='FILE', help='write tables in Markdown to this file')
    add_common_arguments(parser)
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Measure."""
    args = parse_args(argv)
    evaluate_file(load_config(args), args.predictions, args.eval, args.split, args.markdown)


if __name__ == '__main__':
    run_command(main)
