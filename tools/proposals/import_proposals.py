"""Import the proposals of another project for the images of a config's data sets.

Formats: selective_search (.mat of the Fast R-CNN release), mcg (a folder of .mat files), mmdet and
detectron (.pkl, also of Detectron2). Proposals of other images are ignored.

Example:
    python tools/proposals/import_proposals.py CONFIG voc_2007_trainval.mat \
        --format selective_search --split train
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from tqdm import tqdm

from mmlabelpenet.apis import add_config_options, images_of, read_config, run_command
from mmlabelpenet.proposals import (
    FORMATS,
    image_proposal_path,
    match_images,
    read_foreign,
    require_fit,
    to_proposals,
    write_proposals,
)
from mmlabelpenet.utils import Parser, UserError, image_size


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config', help='config file with dataloaders')
    parser.add_argument('source', help="the other project's file, or folder of files")
    parser.add_argument('--format', required=True, choices=FORMATS)
    parser.add_argument(
        '--split',
        nargs='+',
        default=['train', 'val'],
        choices=['train', 'val', 'test'],
        help='dataloaders of the photos',
    )
    parser.add_argument('--out', help="root of the proposals; default: the config's")
    parser.add_argument('--max-num', type=int, help='maximum number of boxes per photo')
    add_config_options(parser)
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Import proposals and print which are missing.

    Args:
        argv: Arguments of the command line without the program; None reads ``sys.argv``.

    Raises:
        UserError: On bad input.
    """
    args = parse_args(argv)
    if args.max_num is not None and args.max_num < 1:
        raise UserError('--max-num must be at least 1.')
    cfg = read_config(args.config, args.cfg_options, whole=False)
    root = args.out or cfg.get('proposal_root', 'data/proposals')
    infos = images_of(cfg, args.split)
    found, missing = match_images(read_foreign(args.source, args.format), infos)
    sizes = {index: image_size(infos[index]['img_path']) for index in found}
    doubts = require_fit(found, infos, sizes, args.source)
    count = 0
    for index, boxes in tqdm(found.items(), desc='import', unit='photo'):
        proposals = to_proposals(boxes, sizes[index], args.format, args.max_num)
        write_proposals(image_proposal_path(root, infos[index]), proposals)
        count += len(proposals)
    print(
        f'{len(found)} photos, {count / len(found):.0f} boxes each, in {Path(root)}',
        *doubts,
        sep='\n',
    )
    if missing:
        print(
            f'{len(missing)} photos of the data set have none in {args.source}, such as '
            f'{missing[0]}'
        )


if __name__ == '__main__':
    run_command(main)
