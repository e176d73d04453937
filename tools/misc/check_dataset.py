"""Tell before training what is wrong with the data of a config.

Decodes every image and mask of its dataloaders. Leaves with code 1 if anything forbids training
(images missing, unreadable or of another size than their annotation, listed twice; classes
without images), with 0 if there is nothing or only something to look at.

Example:
    python tools/misc/check_dataset.py CONFIG --write-skip skip.txt
"""

import argparse
import os
from collections.abc import Sequence

from terminaltables import AsciiTable

from mmlabelpenet.apis import add_config_options, plain_datasets, read_config, run_command
from mmlabelpenet.datasets.checking import ERRORS, WARNINGS, Report, check_datasets
from mmlabelpenet.utils import UserError, atomic_path, register_all_modules

ROLES = ('train', 'val', 'test', 'corloc')


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('config', help='config file with dataloaders')
    parser.add_argument(
        '--min-images', type=int, default=10, help='tell of classes with fewer training photos'
    )
    parser.add_argument(
        '--write-skip', help='write the unreadable photos into this file, for skip=FILE'
    )
    parser.add_argument(
        '--strict', action='store_true', help='leave with code 1 also for things to look at'
    )
    parser.add_argument('--max-told', type=int, default=10, help='lines of each kind to print')
    parser.add_argument('--workers', type=int, default=os.cpu_count() or 1, help='threads')
    add_config_options(parser)
    return parser.parse_args(argv)


def format_report(report: Report, max_told: int) -> str:
    """Tell what was found: a table of classes, then the findings by kind."""
    counts = ', '.join(f'{count} to {role}' for role, count in report.num_images.items())
    lines = [f'photos: {counts}']
    if report.images_of:
        table = AsciiTable([['class', 'training photos'], *map(list, report.images_of.items())])
        table.justify_columns[1] = 'right'
        lines.append(table.table)
    for kind in (*ERRORS, *WARNINGS):
        found = report.findings.get(kind, [])
        if found:
            lines.append(f'{"ERROR" if kind in ERRORS else "look at"}: {kind} ({len(found)})')
            lines += [f'  {sentence}' for sentence in found[:max_told]]
            if len(found) > max_told:
                lines.append(f'  and {len(found) - max_told} more')
    lines.append(f'{report.count(ERRORS)} errors, {report.count(WARNINGS)} things to look at')
    return '\n'.join(lines)


def main(argv: Sequence[str] | None = None) -> None:
    """Check, and tell.

    Args:
        argv: Arguments of the command line without the program; None reads ``sys.argv``.

    Raises:
        UserError: On bad input.
        SystemExit: With code 1, if something is wrong with the data.
    """
    args = parse_args(argv)
    cfg = read_config(args.config, args.cfg_options)
    register_all_modules()
    loaders = {role: cfg.get(f'{role}_dataloader') for role in ROLES}
    roles = {role: plain_datasets(one['dataset']) for role, one in loaders.items() if one}
    if not roles:
        raise UserError(f'{args.config} has no dataloader: name a config that has one.')
    report = check_datasets(roles, args.min_images, args.workers)
    print(format_report(report, args.max_told))
    if args.write_skip:
        with atomic_path(args.write_skip) as temporary:
            temporary.write_text(
                ''.join(f'{name}\n' for name in report.unreadable), encoding='utf-8'
            )
        print(f'{len(report.unreadable)} unreadable photos written to {args.write_skip}')
    if report.count(ERRORS) or (args.strict and report.count(WARNINGS)):
        raise SystemExit(1)


if __name__ == '__main__':
    run_command(main)
