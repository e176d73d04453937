"""Check the proposals of a data set: recall, number, and whether they match the images.

Prints recall and best overlap if boxes are known, numbers of boxes, and problems such as boxes
outside the image and images without proposals. Exits with code 1 if there is a problem.

Example:
    python tools/proposals/check_proposals.py CONFIG --split val
"""

import argparse
import json
from collections.abc import Sequence

from tabulate import tabulate
from tqdm import tqdm

from mmlabelpenet.apis import add_config_options, images_of, read_config, run_command
from mmlabelpenet.proposals import check_image, collect_problems, summarize_check
from mmlabelpenet.utils import Parser, UserError, number, write_lines


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config', help='config file with dataloaders')
    parser.add_argument(
        '--split',
        nargs='+',
        default=['train', 'val'],
        choices=['train', 'val', 'test'],
        help='dataloaders of the photos',
    )
    parser.add_argument('--proposal-root', help="root of the proposals; default: the config's")
    parser.add_argument('--out', help='write the figures to this JSON file')
    parser.add_argument(
        '--max-lines', type=number(), default=10, help='problems of each kind to print'
    )
    add_config_options(parser)
    return parser.parse_args(argv)


def format_figures(figures: dict[str, float]) -> str:
    """Format figures as a table."""
    rows = [
        [name, f'{value:.3f}' if name.startswith(('recall', 'ABO', 'MABO')) else f'{value:g}']
        for name, value in figures.items()
    ]
    columns = dict(disable_numparse=True, colalign=('left', 'right'))
    return tabulate(rows, ['figure', 'value'], tablefmt='psql', **columns)


def main(argv: Sequence[str] | None = None) -> None:
    """Check the proposals and print the results.

    Args:
        argv: Arguments of the command line without the program; None reads ``sys.argv``.

    Raises:
        UserError: On bad input.
        SystemExit: With code 1, if there is a problem.
    """
    args = parse_args(argv)
    cfg = read_config(args.config, args.cfg_options, whole=False)
    root = args.proposal_root or cfg.get('proposal_root')
    if root is None:
        raise UserError(f'{args.config} has no proposal_root: set --proposal-root.')
    # The loader of CorLoc, if there is one, knows the boxes of training images.
    images = images_of(cfg, [*args.split, *(['corloc'] if 'train' in args.split else [])])
    if not images:
        raise UserError(f'The data sets of {args.config} are empty: check their split lists.')
    checked = [check_image(info, root) for info in tqdm(images, desc='check', unit='photo')]
    figures, problems = summarize_check(checked), collect_problems(checked)
    print(format_figures(figures))
    for kind, sentences in problems.items():
        print(f'ERROR: {kind} ({len(sentences)})', *sentences[: args.max_lines], sep='\n  ')
    if args.out:
        counts = {kind: len(sentences) for kind, sentences in problems.items()}
        write_lines(args.out, [json.dumps({**figures, 'faults': counts}, indent=2)])
    if problems:
        raise SystemExit(1)


if __name__ == '__main__':
    run_command(main)
