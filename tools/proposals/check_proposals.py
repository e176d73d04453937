"""Tell how good a data set's proposals are, and what is wrong with them.

Recall per IoU and best overlap where boxes are known, numbers of boxes, boxes outside the image,
images without. Leaves with code 1 if something is wrong.

Example:
    python tools/proposals/check_proposals.py CONFIG --split val
"""

import argparse
import json
from collections.abc import Sequence

from mmengine.config import Config
from terminaltables import AsciiTable
from tqdm import tqdm

from mmlabelpenet.apis import add_config_options, images_of, read_config, run_command
from mmlabelpenet.proposals import check_image, collect_faults, summarize_check
from mmlabelpenet.utils import UserError, atomic_path


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('config', help='config file with dataloaders')
    parser.add_argument(
        '--split',
        nargs='+',
        default=['train', 'val'],
        choices=['train', 'val', 'test'],
        help="whose dataloaders' photos",
    )
    parser.add_argument('--proposal-root', help="root of the proposals; default: the config's")
    parser.add_argument('--out', help='write the figures to this JSON file')
    parser.add_argument('--max-told', type=int, default=10, help='lines of each kind to print')
    add_config_options(parser)
    return parser.parse_args(argv)


def loaders_of(cfg: Config, splits: Sequence[str]) -> list[str]:
    """Names of loaders; of training images that one too which knows their boxes."""
    with_boxes = ['corloc'] if 'train' in splits and cfg.get('corloc_dataloader') else []
    return [*splits, *with_boxes]


def format_figures(figures: dict[str, float]) -> str:
    """Make a table of figures, one line each."""
    rows = [
        [name, f'{value:.3f}' if name.startswith(('recall', 'ABO', 'MABO')) else f'{value:g}']
        for name, value in figures.items()
    ]
    table = AsciiTable([['figure', 'value'], *rows])
    table.justify_columns[1] = 'right'
    return table.table


def main(argv: Sequence[str] | None = None) -> None:
    """Check, and tell.

    Args:
        argv: Arguments of the command line without the program; None reads ``sys.argv``.

    Raises:
        UserError: On bad input.
        SystemExit: With code 1, if something is wrong with the proposals.
    """
    args = parse_args(argv)
    cfg = read_config(args.config, args.cfg_options)
    root = args.proposal_root or cfg.get('proposal_root')
    if root is None:
        raise UserError(f'{args.config} has no proposal_root: say --proposal-root.')
    images = images_of(cfg, loaders_of(cfg, args.split))
    if not images:
        raise UserError(f'The data sets of {args.config} are empty: check their split lists.')
    checked = [check_image(info, root) for info in tqdm(images, desc='check', unit='photo')]
    figures, faults = summarize_check(checked), collect_faults(checked)
    print(format_figures(figures))
    for kind, sentences in faults.items():
        print(f'ERROR: {kind} ({len(sentences)})')
        print('\n'.join(f'  {sentence}' for sentence in sentences[: args.max_told]))
    if args.out:
        counts = {kind: len(sentences) for kind, sentences in faults.items()}
        with atomic_path(args.out) as temporary:
            temporary.write_text(json.dumps({**figures, 'faults': counts}, indent=2) + '\n')
    if faults:
        raise SystemExit(1)


if __name__ == '__main__':
    run_command(main)
