"""Make the region proposals of a data set's images, or of any folder of images.

Example, on one of four machines that share a disk:
    python tools/proposals/make_proposals.py CONFIG --shard 1/4
"""

import argparse
import os
import re
from collections.abc import Sequence
from pathlib import Path

from mmlabelpenet.proposals import (
    Job,
    ground_truth_boxes,
    image_proposal_path,
    proposal_path,
    run_jobs,
    summarize_outcomes,
)
from mmlabelpenet.proposals.selective_search import MAX_SIDE, QUALITIES
from mmlabelpenet.utils import IMAGE_SUFFIXES, Parser, UserError, list_photos, require_writable

DEFAULT_OUT = 'data/proposals'
# Selective Search finds no objects in smaller photos.
MIN_SIDE = 32


def shard(text: str) -> slice:
    """Read K/N, a type of argparse: every N-th photo from the K-th on."""
    found = re.fullmatch(r'(\d+)/(\d+)', text)
    if not found or not 1 <= int(found[1]) <= int(found[2]):
        raise argparse.ArgumentTypeError(
            f"must be K/N, two whole numbers with K from 1 to N, such as 1/4, not '{text}'"
        )
    return slice(int(found[1]) - 1, None, int(found[2]))


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    from mmlabelpenet.apis import add_config_options

    parser = Parser(description=__doc__.partition('\n')[0])
    parser.add_argument('source', help='a config with dataloaders, or a folder of photos')
    parser.add_argument(
        '--split',
        nargs='+',
        choices=['train', 'val', 'test'],
        help='dataloaders of the photos (configs only); default: train val',
    )
    parser.add_argument(
        '--out',
        help=f"root of the proposals; default: the config's, else {DEFAULT_OUT}",
    )
    parser.add_argument('--quality', default='fast', choices=QUALITIES)
    parser.add_argument(
        '--workers',
        type=int,
        default=len(os.sched_getaffinity(0)),
        help='processes; default: the cores that this one may use',
    )
    parser.add_argument(
        '--shard',
        type=shard,
        metavar='K/N',
        default=slice(None),
        help='only the K-th of N shards of the photos, so that N machines share the work',
    )
    parser.add_argument('--max-num', type=int, help='maximum number of boxes per photo')
    parser.add_argument(
        '--max-side',
        type=int,
        default=MAX_SIDE,
        help=f'search larger photos at this size in pixels, at least {MIN_SIDE}: faster, '
        'fewer boxes',
    )
    parser.add_argument(
        '--skip-unreadable',
        action='store_true',
        help='skip photos that are missing or damaged, and list them at the end',
    )
    add_config_options(parser)
    return parser.parse_args(argv)


def jobs_of(args: argparse.Namespace) -> list[Job]:
    """List the images of a config or of a folder.

    Raises:
        UserError: If the source is neither, or an option has no effect on it.
    """
    source = Path(args.source)
    if '://' in args.source:
        raise UserError(
            f'{args.source} is not on this machine: download the photos, and name their folder.'
        )
    if source.is_dir():
        if args.split or args.cfg_options:
            name = '--split' if args.split else '--cfg-options'
            raise UserError(
                f'{name} is for a config, and {source} is a folder of photos: leave it out, or '
                'name the config.'
            )
        return jobs_of_folder(source, Path(args.out or DEFAULT_OUT))
    if not source.is_file():
        raise UserError(f'There is no config and no folder at {source}: check the path.')
    if source.suffix.lower() in IMAGE_SUFFIXES:
        raise UserError(
            f'{source} is a single photo: name its folder {source.parent}, or a config.'
        )
    return jobs_of_config(args.source, args.split or ['train', 'val'], args.out, args.cfg_options)


def jobs_of_folder(folder: Path, out: Path) -> list[Job]:
    """List every image in a folder; the folder's name is used as the data set's."""
    images = list_photos(folder)
    if len({image.stem for image in images}) < len(images):
        raise UserError(
            f'{folder} has photos that differ only in their suffix, and their proposals would '
            'have the same name: rename them.'
        )
    name = folder.resolve().name
    return [Job(str(image), proposal_path(out, name, image.stem)) for image in images]


def jobs_of_config(
    config: str, splits: list[str], out: str | None, options: dict | None = None
) -> list[Job]:
    """List each image of the chosen dataloaders of a config once."""
    # Worker processes import this file too and need none of these.
    from mmlabelpenet.apis import images_of, read_config

    cfg = read_config(config, options, whole=False)
    root = out or cfg.get('proposal_root', DEFAULT_OUT)
    return [
        Job(info['img_path'], image_proposal_path(root, info), ground_truth_boxes(info))
        for info in images_of(cfg, splits)
    ]


def main(argv: Sequence[str] | None = None) -> None:
    """Make the proposals and print a summary.

    Args:
        argv: Arguments of the command line without the program; None reads ``sys.argv``.

    Raises:
        UserError: On bad input.
    """
    args = parse_args(argv)
    if min(args.workers, 1 if args.max_num is None else args.max_num) < 1:
        raise UserError('--workers and --max-num must be at least 1.')
    if args.max_side < MIN_SIDE:
        raise UserError(
            f'--max-side {args.max_side} is too small to find objects: take at least {MIN_SIDE}.'
        )
    jobs = jobs_of(args)
    if not jobs:
        raise UserError(f'The data sets of {args.source} are empty: check its split lists.')
    require_writable(jobs[0].out.parent, folder=True)
    jobs = jobs[args.shard]
    settings = dict(quality=args.quality, max_num=args.max_num, max_side=args.max_side)
    print(summarize_outcomes(run_jobs(jobs, settings, args.workers, args.skip_unreadable)))


if __name__ == '__main__':
    # Not at the top: worker processes import this file too and need no models.
    from mmlabelpenet.apis import run_command

    run_command(main)
