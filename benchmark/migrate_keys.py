"""Give measured rows the keys of this checkout, where another one's code gives the same bits.

A row is carried over if it is current in the other checkout: its key is the one that the code and
the config of that checkout give. Every other row keeps its key, and is measured again when the
benchmark runs. ``tools/misc/same_bits.py`` shows first whether both checkouts give the same bits.

Example:
    python benchmark/migrate_keys.py ../main-before
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import voc12_mini
from report import read_results, write_results
from trainings import REPOSITORY

from mmlabelpenet.apis import run_command
from mmlabelpenet.utils import UserError, markdown_table

# Names in the other checkout of rows that have another name here.
FORMER_NAMES = {'D-refined': 'D-fitted', 'E-refined': 'E-fitted'}
# Runs in a checkout: config and key of each (row, config, processes), null without such a config.
SCRIPT = """
import json, sys
from pathlib import Path
sys.path.insert(0, 'benchmark')
import voc12_mini
from mmlabelpenet.utils import register_all_modules

register_all_modules()
known = {row: config for group in voc12_mini.GROUPS.values() for row, config in group.items()}
found = []
for row, config, processes in json.load(sys.stdin):
    config = known.get(row, config)
    key = None
    if Path(config).is_file():
        trainings = voc12_mini.Trainings('work_dirs', [], processes)
        key = voc12_mini.measuring_key(trainings, trainings.read(config))
    found.append((config, key))
print(json.dumps(found))
"""


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('checkout', type=Path, help='folder of the other checkout')
    parser.add_argument(
        '--out', type=Path, default=REPOSITORY / voc12_mini.parse_args([]).out, help='the rows'
    )
    return parser.parse_args(argv)


def keys_in(checkout: Path, rows: Sequence[Sequence]) -> list[tuple[str, str]]:
    """Config and key of rows by the code and the configs of a checkout.

    Args:
        checkout: Its folder.
        rows: For each row its name there, a config if the benchmark there does not know the
            name, and the number of processes.

    Raises:
        UserError: If a row has no config there, or the code there fails.
    """
    env = {**os.environ, 'PYTHONPATH': os.pathsep.join([str(checkout), *sys.path])}
    done = subprocess.run(
        [sys.executable, '-c', SCRIPT],
        cwd=checkout,
        env=env,
        input=json.dumps(rows),
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise UserError(f'{checkout} gives no keys: {done.stderr.strip().splitlines()[-1]}')
    found = json.loads(done.stdout.splitlines()[-1])
    for (row, *_), (config, key) in zip(rows, found):
        if key is None:
            raise UserError(
                f'Row {row} has no config {config} in {checkout}: name the row in FORMER_NAMES of '
                f'{Path(__file__).name}, or remove it from the results.'
            )
    return found


def migrate(results: Sequence[dict], checkout: Path) -> tuple[list[dict], list[str]]:
    """Carry rows over from another checkout.

    Args:
        results: Rows as the benchmark writes them.
        checkout: Folder of the other checkout.

    Returns:
        The rows with names, configs and, if they were current, keys of this checkout; and for each
        row what became of it.
    """
    names = {former: name for name, former in FORMER_NAMES.items()}
    names = [names.get(one['row'], one['row']) for one in results]
    rows = [(name, one['config'], one['processes']) for name, one in zip(names, results)]
    former = [(FORMER_NAMES.get(name, name), *others) for name, *others in rows]
    migrated, states = [], []
    for one, row, (config, key), (_, old_key) in zip(
        results, names, keys_in(REPOSITORY, rows), keys_in(checkout, former)
    ):
        current = one['key'] in (key, old_key)
        states.append('current' if one['key'] == key else 'carried over' if current else 'stale')
        migrated.append(dict(one, row=row, config=config, key=key if current else one['key']))
    return migrated, states


def main(argv: Sequence[str] | None = None) -> None:
    """Migrate the rows and print what became of each."""
    args = parse_args(argv)
    results = read_results(args.out)
    migrated, states = migrate(results, args.checkout.resolve())
    write_results(migrated, args.out)
    rows = [
        [new['row'], new['seed'], old['key'], new['key'], state]
        for old, new, state in zip(results, migrated, states)
    ]
    print(markdown_table(['row', 'seed', 'key before', 'key now', 'state'], rows))


if __name__ == '__main__':
    run_command(main)
