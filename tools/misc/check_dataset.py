"""Check the data of a config before training.

Decodes every image and mask of its dataloaders, and prints the tags of the first training images
and the number of images of every class. Exits with code 1 on errors (images that are
missing, unreadable, listed twice or of another size than their annotation; classes without
images), with 0 if there are none or only warnings. With the checkpoint of a training it also lists
the tags that the model doubts, most doubtful first.

Example:
    python tools/misc/check_dataset.py CONFIG --write-skip skip.txt
    python tools/misc/check_dataset.py CONFIG --checkpoint CHECKPOINT --write-doubts doubts.csv
"""

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

from tabulate import tabulate

from mmlabelpenet.apis import (
    add_config_options,
    add_trust_option,
    doubted_tags,
    plain_datasets,
    read_config,
    run_command,
)
from mmlabelpenet.datasets.checking import ERRORS, WARNINGS, Report, check_datasets
from mmlabelpenet.utils import (
    Parser,
    UserError,
    number,
    register_all_modules,
    trust_files,
    write_lines,
)

ROLES = ('train', 'val', 'test', 'corloc')


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config', help='config file with dataloaders')
    parser.add_argument(
        '--min-images',
        type=number(),
        default=10,
        help='warn of classes with fewer training photos',
    )
    parser.add_argument(
        '--write-skip', help='write the unreadable photos into this file, for skip=FILE'
    )
    parser.add_argument('--strict', action='store_true', help='exit with code 1 on warnings too')
    parser.add_argument(
        '--max-lines', type=number(), default=10, help='findings of each kind to print'
    )
    parser.add_argument(
        '--workers', type=number(int, 1), default=os.cpu_count() or 1, help='threads'
    )
    parser.add_argument(
        '--checkpoint', help='list the tags that this trained model takes for wrong or missing'
    )
    parser.add_argument('--write-doubts', help='write all doubted tags into this CSV file')
    add_trust_option(parser)
    add_config_options(parser)
    return parser.parse_args(argv)


def format_report(report: Report, max_lines: int) -> str:
    """Format the first images, the number of images per class, then the findings by kind."""
    counts = ', '.join(f'{count} to {role}' for role, count in report.num_images.items())
    lines = [f'photos: {counts}']
    if report.examples:
        lines += ['the first training photos, as understood:']
        lines += [f'  {example}' for example in report.examples]
    if report.images_per_class:
        header = ['class', 'training photos']
        lines.append(tabulate(report.images_per_class.items(), header, tablefmt='psql'))
    for kind in (*ERRORS, *WARNINGS):
        found = report.findings.get(kind, [])
        if found:
            lines.append(f'{"ERROR" if kind in ERRORS else "WARNING"}: {kind} ({len(found)})')
            lines += [f'  {sentence}' for sentence in found[:max_lines]]
        if len(found) > max_lines:
            lines.append(f'  and {len(found) - max_lines} more')
    lines.append(f'{report.count(ERRORS)} errors, {report.count(WARNINGS)} warnings')
    return '\n'.join(lines)


def report_doubts(args: argparse.Namespace) -> None:
    """Print the tags that a model doubts, of each kind the most doubtful ones first."""
    cfg = read_config(args.config, args.cfg_options)
    cfg.work_dir, cfg.launcher = str(Path('work_dirs') / Path(args.config).stem), 'none'
    with trust_files(args.trust_checkpoint):
        doubts = doubted_tags(cfg, args.checkpoint)
    for tagged, kind in ((True, 'may be wrong'), (False, 'may be missing')):
        found = [one for one in doubts if one.tagged == tagged]
        print(f'tags that {kind}, most doubtful first ({len(found)})')
        for one in found[: args.max_lines]:
            print(f'  {one.img_id}: {one.tag} ({one.doubt:.2f})')
    if args.write_doubts:
        rows = [f'{one.img_id},{one.tag},{one.tagged:d},{one.doubt:.4f}' for one in doubts]
        write_lines(args.write_doubts, ['photo,tag,tagged,doubt', *rows])
        print(f'{len(doubts)} doubted tags written to {args.write_doubts}')


def main(argv: Sequence[str] | None = None) -> None:
    """Check the data and print the findings.

    Args:
        argv: Arguments of the command line without the program; None reads ``sys.argv``.

    Raises:
        UserError: On bad input.
        SystemExit: With code 1, if there is an error in the data.
    """
    args = parse_args(argv)
    if args.write_doubts and not args.checkpoint:
        raise UserError(
            '--write-doubts needs --checkpoint: name that of a training on these tags.'
        )
    cfg = read_config(args.config, args.cfg_options, whole=False)
    register_all_modules()
    loaders = {role: cfg.get(f'{role}_dataloader') for role in ROLES}
    roles = {role: plain_datasets(one['dataset']) for role, one in loaders.items() if one}
    if not roles:
        raise UserError(f'{args.config} has no dataloader: choose a config that has one.')
    report = check_datasets(roles, args.min_images, args.workers)
    print(format_report(report, args.max_lines))
    if args.write_skip:
        write_lines(args.write_skip, report.unreadable)
        print(f'{len(report.unreadable)} unreadable photos written to {args.write_skip}')
    if args.checkpoint:
        report_doubts(args)
    if report.count(ERRORS) or (args.strict and report.count(WARNINGS)):
        raise SystemExit(1)


if __name__ == '__main__':
    run_command(main)
