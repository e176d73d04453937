"""Test a checkpoint by its config: figures as a table and as JSON, and painted images.

Example:
    python tools/test.py CONFIG CHECKPOINT --eval bbox segm corloc --show-dir pictures
    python tools/test.py CONFIG CHECKPOINT --stage calibration --split train --eval segm pseudo
    python tools/test.py CONFIG CHECKPOINT --format-only
"""

import argparse
from collections.abc import Sequence

from mmlabelpenet.apis import (
    PROPOSALS,
    PROPOSALS_HELP,
    add_evaluation_arguments,
    config_parser,
    enable_painting,
    evaluate_detector,
    load_config,
    run_command,
)
from mmlabelpenet.utils import number, trust_files


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = config_parser('Test (and evaluate) a model', checkpoint=True)
    add_evaluation_arguments(parser)
    parser.add_argument(
        '--stage',
        help="stage to measure: one of the cascade, or 'attention' or 'calibration' for pseudo "
        'labels (default: that of the config)',
    )
    parser.add_argument('--proposals', choices=PROPOSALS, help=PROPOSALS_HELP)
    parser.add_argument(
        '--format-only',
        action='store_true',
        help="measure nothing, but write WORK_DIR/results in the format of VOC's server",
    )
    parser.add_argument('--out', help='write the predictions to this .pkl file')
    parser.add_argument('--show', action='store_true', help='show each painted photo')
    parser.add_argument('--show-dir', help='write painted photos into this folder')
    parser.add_argument(
        '--tta', action='store_true', help="average over the config's scales and flips"
    )
    parser.add_argument(
        '--wait-time', type=number(float), default=2, help='seconds for which each photo is shown'
    )
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Test."""
    args = parse_args(argv)
    cfg = load_config(args)
    enable_painting(cfg, args.show, args.show_dir, args.wait_time)
    with trust_files(args.trust_checkpoint):
        evaluate_detector(
            cfg,
            args.checkpoint,
            eval_names=args.eval,
            out=args.out,
            tta=args.tta,
            stage=args.stage,
            split=args.split,
            markdown=args.markdown,
            format_only=args.format_only,
            proposals=args.proposals,
        )


if __name__ == '__main__':
    run_command(main)
