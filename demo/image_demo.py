"""Find and paint the instances of images; missing proposals are computed.

Example:
    python demo/image_demo.py image.jpg
    python demo/image_demo.py images/ CONFIG --weights CHECKPOINT --out-dir outputs
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from mmlabelpenet.apis import (
    PALETTES,
    PROPOSALS,
    LabelPEnetInferencer,
    add_trust_option,
    published_weights,
    run_command,
)
from mmlabelpenet.utils import Parser, number, require_writable

CONFIG_SUFFIXES = ('.py', '.json', '.yaml', '.yml')


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = Parser(description='Find the instances of photos')
    parser.add_argument(
        'inputs',
        nargs='+',
        help='photos, folders of photos, file:// addresses; then a config file or the name of a '
        'published model (default: the config in the checkpoint)',
    )
    parser.add_argument('--weights', help='checkpoint file (default: that of the published model)')
    parser.add_argument(
        '--out-dir', default='outputs', help='folder for pictures (vis) and results (preds)'
    )
    parser.add_argument('--stage', help='stage to take (default: that of the config)')
    parser.add_argument('--tags', nargs='+', metavar='NAME', help='classes that every photo shows')
    parser.add_argument(
        '--proposals',
        help='learned, search, or a folder of stored ones (default: learned if the model has '
        'learned some, else Selective Search)',
    )
    parser.add_argument('--quality', default='fast', choices=('fast', 'quality'))
    parser.add_argument(
        '--palette',
        default='none',
        choices=PALETTES,
        help='colours of the classes (default: those of the data set)',
    )
    parser.add_argument('--device', help='such as cuda:0 or cpu (default: a GPU if there is one)')
    parser.add_argument(
        '--pred-score-thr',
        type=number(float, 0, 1),
        default=0.3,
        help='minimum score of painted instances',
    )
    parser.add_argument(
        '--score-thr', type=number(float, 0, 1), default=0.0, help='minimum score of results'
    )
    parser.add_argument(
        '--recursive', action='store_true', help='photos in subfolders of a folder too'
    )
    parser.add_argument('--batch-size', type=number(int, 1), default=1, help='photos per batch')
    parser.add_argument(
        '--panels',
        action='store_true',
        help='paint the whole way to the result: proposals, attention and, with --tags, labels',
    )
    parser.add_argument('--show', action='store_true', help='show each picture in a window')
    parser.add_argument('--no-save-vis', action='store_true', help='write no pictures')
    parser.add_argument('--no-save-pred', action='store_true', help='write no results')
    parser.add_argument('--print-result', action='store_true', help='print the results')
    add_trust_option(parser)
    # The model may stand behind the options.
    args, further = parser.parse_known_args(argv)
    if any(one.startswith('-') for one in further):
        parser.error(f'unrecognized arguments: {" ".join(further)}')
    *args.inputs, args.model = _with_model([*args.inputs, *further])
    return args


def _with_model(names: list[str]) -> list[str | None]:
    """Add None to the names of photos, unless the last one names a model."""
    is_model = Path(names[-1]).suffix in CONFIG_SUFFIXES or names[-1] in published_weights()
    return [*names] if is_model and len(names) > 1 else [*names, None]


def main(argv: Sequence[str] | None = None) -> None:
    """Find instances.

    Args:
        argv: Arguments of the command line without the program; None reads ``sys.argv``.

    Raises:
        UserError: On bad input.
    """
    args = parse_args(argv)
    stored = args.proposals not in (None, *PROPOSALS)
    require_writable(args.out_dir, folder=True)
    inferencer = LabelPEnetInferencer(
        args.model,
        args.weights,
        device=args.device,
        stage=args.stage,
        proposal_root=args.proposals if stored else None,
        quality=args.quality,
        palette=args.palette,
        trust_checkpoint=args.trust_checkpoint,
        proposals=None if stored else args.proposals,
        panels=args.panels,
    )
    result = inferencer(
        args.inputs,
        tags=args.tags,
        batch_size=args.batch_size,
        score_thr=args.score_thr,
        recursive=args.recursive,
        out_dir=args.out_dir,
        pred_score_thr=args.pred_score_thr,
        show=args.show,
        no_save_vis=args.no_save_vis,
        no_save_pred=args.no_save_pred,
        print_result=args.print_result,
    )
    found = sum(
        score >= args.pred_score_thr for one in result['predictions'] for score in one['scores']
    )
    print(
        f'{found} instances of {len(result["predictions"])} photos; results are in {args.out_dir}.'
    )


if __name__ == '__main__':
    run_command(main)
