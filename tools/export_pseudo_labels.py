"""Export the predictions of a model on a data set as labels: COCO, VOC, YOLO or Label Studio.

Example:
    python tools/export_pseudo_labels.py CONFIG CHECKPOINT --stage calibration --format coco \
        --out data/pseudo
"""

import argparse
from collections.abc import Sequence

from mmlabelpenet.apis import (
    PROPOSALS,
    PROPOSALS_HELP,
    Layout,
    add_export_arguments,
    config_parser,
    export_instances,
    load_config,
    run_command,
)
from mmlabelpenet.export import Selection
from mmlabelpenet.utils import number, trust_files


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = config_parser('Export instances as labels', checkpoint=True)
    add_export_arguments(parser, split='train')
    parser.add_argument(
        '--stage',
        help='stage to export: one of the cascade, or calibration or attention for the pseudo '
        'instances of tagged photos (default: that of the config)',
    )
    parser.add_argument('--proposals', choices=PROPOSALS, help=PROPOSALS_HELP)
    parser.add_argument(
        '--score-thr',
        type=lambda text: text if text == 'auto' else number(float, 0, 1)(text),
        default=Selection.score_thr,
        help='minimum score of an instance (default: %(default)s); auto lowers it for classes of '
        'which otherwise fewer than three quarters of their photos would have an instance',
    )
    parser.add_argument(
        '--max-per-class', type=number(int, 1), help='maximum instances of a class per photo'
    )
    parser.add_argument(
        '--min-area',
        type=number(float),
        default=Selection.min_area,
        help='minimum pixels of an instance',
    )
    parser.add_argument(
        '--all-classes',
        action='store_true',
        help='also instances of classes that are not among the tags of the photo',
    )
    parser.add_argument(
        '--boxes',
        default=Selection.boxes,
        choices=('detector', 'mask'),
        help='boxes of the stage that found the instances, or tight boxes of their masks',
    )
    parser.add_argument(
        '--most-doubtful',
        type=number(float, 0, 1),
        default=1.0,
        metavar='SHARE',
        help='only this share of the photos, those that the model is least sure of',
    )
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Export.

    Args:
        argv: Arguments of the command line without the program; None reads ``sys.argv``.

    Raises:
        UserError: On bad input.
    """
    args = parse_args(argv)
    selection = dict(
        score_thr=args.score_thr,
        max_per_class=args.max_per_class,
        min_area=args.min_area,
        tagged_only=not args.all_classes,
        boxes=args.boxes,
    )
    with trust_files(args.trust_checkpoint):
        export_instances(
            load_config(args),
            args.checkpoint,
            Layout.of(args),
            stage=args.stage,
            split=args.split,
            selection=selection,
            proposals=args.proposals,
            share=args.most_doubtful,
        )


if __name__ == '__main__':
    run_command(main)
