"""Migration of measured rows between two checkouts."""

import json
import os
import subprocess
import tarfile
from pathlib import Path

import pytest

from mmlabelpenet.utils import UserError

REPOSITORY = Path(__file__).parents[2]
# The last commit whose keys were made of nearly the whole package.
FORMER = 'd0e8597'
PACKAGE = """
REGISTERED = []

def register_all_modules():
    REGISTERED.append(True)
"""
CODE = """
from mmlabelpenet.utils import REGISTERED

GROUPS = {groups}

class Trainings:
    def __init__(self, root, configs, processes):
        self.processes = processes

    def read(self, config):
        return open(config).read()

def measuring_key(trainings, cfg):
    assert REGISTERED
    return f'{name}-{{cfg}}-{{trainings.processes}}'
"""


def make_checkout(root, name, groups, configs):
    """A checkout whose key of a row is its name, the text of the config and the processes.

    Its package is a small one: importing the real one takes longer than all else.
    """
    (root / name / 'benchmark').mkdir(parents=True)
    (root / name / 'mmlabelpenet/utils').mkdir(parents=True)
    (root / name / 'mmlabelpenet/__init__.py').touch()
    (root / name / 'mmlabelpenet/utils/__init__.py').write_text(PACKAGE)
    code = CODE.format(groups=groups, name=name)
    (root / name / 'benchmark/voc12_mini.py').write_text(code)
    for path, text in configs.items():
        (root / name / path).write_text(text)
    return root / name


def row(name, key, config='a.py', processes=2, seed=0):
    metrics = dict(bbox_mAP_50=0.5)
    return dict(row=name, config=config, seed=seed, key=key, processes=processes, metrics=metrics)


@pytest.fixture
def script(benchmark_module, monkeypatch):
    module = benchmark_module('migrate_keys')
    monkeypatch.setattr(module, 'FORMER_NAMES', {'B-new': 'B-old'})
    return module


@pytest.fixture
def checkouts(script, tmp_path, monkeypatch):
    """This one and another one, in which row B and its config have other names."""
    groups = {'ladder': {'A': 'a.py', 'B-new': 'b_new.py'}}
    here = make_checkout(tmp_path, 'here', groups, {'a.py': 'a', 'b_new.py': 'b', 'c.py': 'c'})
    groups = {'ladder': {'A': 'a.py', 'B-old': 'b_old.py'}}
    other = make_checkout(tmp_path, 'other', groups, {'a.py': 'a', 'b_old.py': 'b', 'c.py': 'c'})
    monkeypatch.setattr(script, 'REPOSITORY', here)
    return here, other


def test_current_rows_get_the_keys_of_this_checkout(script, checkouts, tmp_path, capsys):
    rows = [
        row('A', 'other-a-2'),
        row('A', 'other-a-1', seed=1, processes=1),
        row('A', 'older', seed=2),
        row('B-old', 'other-b-2', 'b_old.py'),
        row('B-old', 'older', 'b_old.py', seed=1),
        row('c', 'other-c-2', 'c.py'),  # of a config that is no row of the benchmark
    ]
    path = tmp_path / 'rows.json'
    path.write_text(json.dumps(rows))
    script.main([str(checkouts[1]), '--out', str(path)])
    expected = [
        row('A', 'here-a-2'),
        row('A', 'here-a-1', seed=1, processes=1),
        row('A', 'older', seed=2),
        row('B-new', 'here-b-2', 'b_new.py'),
        row('B-new', 'older', 'b_new.py', seed=1),
        row('c', 'here-c-2', 'c.py'),
    ]
    assert json.loads(path.read_text()) == expected
    table = [line.split('|')[1:-1] for line in capsys.readouterr().out.splitlines()[-6:]]
    table = [[cell.strip() for cell in line] for line in table]
    assert table[1] == ['A', '1', 'other-a-1', 'here-a-1', 'carried over']
    assert table[4] == ['B-new', '1', 'older', 'older', 'stale']

    # Once more changes nothing.
    before = path.read_bytes()
    script.main([str(checkouts[1]), '--out', str(path)])
    assert path.read_bytes() == before
    assert 'carried over' not in capsys.readouterr().out


def test_a_row_without_a_config_in_one_of_the_checkouts_is_refused(
    script, checkouts, tmp_path, monkeypatch
):
    here, other = checkouts
    path = tmp_path / 'rows.json'
    path.write_text(json.dumps([row('A', 'other-a-2'), row('B-old', 'other-b-2', 'b_old.py')]))
    before = path.read_bytes()
    args = [str(other), '--out', str(path)]
    monkeypatch.setattr(script, 'FORMER_NAMES', {})
    with pytest.raises(UserError, match=r'Row B-old has no config b_old\.py in .*here: name'):
        script.main(args)
    monkeypatch.setattr(script, 'FORMER_NAMES', {'B-new': 'B-older'})
    with pytest.raises(UserError, match=r'Row B-old has no config b_old\.py in .*here: name'):
        script.main(args)
    (here / 'b_old.py').write_text('b')
    (other / 'b_old.py').unlink()
    with pytest.raises(UserError, match=r'Row B-old has no config b_old\.py in .*other: name'):
        script.main(args)
    assert path.read_bytes() == before


def test_a_checkout_that_fails_is_refused_with_its_message(script, checkouts, tmp_path):
    path = tmp_path / 'rows.json'
    path.write_text(json.dumps([row('A', 'other-a-2')]))
    (checkouts[1] / 'benchmark/voc12_mini.py').write_text('raise ValueError("no such thing")')
    with pytest.raises(UserError, match=r'other gives no keys: ValueError: no such thing'):
        script.main([str(checkouts[1]), '--out', str(path)])


@pytest.fixture(scope='module')
def former(tmp_path_factory):
    """The checkout of ``FORMER``."""
    root = tmp_path_factory.mktemp('former')
    command = ['git', 'archive', '--output', str(root / 'former.tar'), FORMER]
    if subprocess.run(command, cwd=REPOSITORY, capture_output=True).returncode:
        pytest.skip(f'needs the history up to {FORMER}')
    with tarfile.open(root / 'former.tar') as archive:
        archive.extractall(root / 'former')
    return root / 'former'


@pytest.mark.slow
@pytest.mark.skipif('VOC12MINI_ROOT' not in os.environ, reason='needs VOC12-mini')
def test_rows_of_voc12_mini_are_carried_over(benchmark_module, former):
    script = benchmark_module('migrate_keys')
    results = script.read_results(former / 'docs/benchmarks/voc12_mini.json')
    # The config of this row has another training since: none of its rows may be carried over.
    results = [one for one in results if one['row'] != 'Label-PEnet']
    migrated, states = script.migrate(results, former)
    assert len(migrated) == len(results) == 36
    assert states.count('carried over') == 30
    assert states.count('stale') == 6
    stale = {one['row'] for one, state in zip(migrated, states) if state == 'stale'}
    assert stale == {'F', 'G', 'D-refined', 'WSDDN-context'}
    pairs = {
        (old['key'], new['key'])
        for old, new, state in zip(results, migrated, states)
        if state == 'carried over'
    }
    # Rows that were one training and one test still are, and no others.
    assert len(pairs) == len({old for old, _ in pairs}) == len({new for _, new in pairs})
    assert [{**old, 'row': '', 'config': '', 'key': ''} for old in results] == [
        {**new, 'row': '', 'config': '', 'key': ''} for new in migrated
    ]
    again, states = script.migrate(migrated, former)
    assert again == migrated
    assert 'carried over' not in states
