"""The mutation run on a package of two functions, of which one is tested."""

import json
import subprocess
import sys

import pytest

from .conftest import REPOSITORY

pytest.importorskip('cosmic_ray', reason='needs requirements/mutation.txt')
CODE = """
def double(x: int | None, *, by: float = 2.0) -> float | int:
    if x is None:
        raise ValueError(f'{x + 1} is nothing')
    return x * by


def untested(x: int) -> int:
    return x - 3


def idle(x: int) -> int:
    return x + 0
"""
TESTS = """
import pytest
from package.heart.code import double, idle


@pytest.fixture(scope='module')
def six():
    return double(3)


def test_double(six):
    assert (six, double(3, by=1.0)) == (6, 3)


def test_idle():
    assert idle(0) == 0


def test_that_fails_anyway():
    assert double(1) == 1
"""
DRIVER = """
import sys
sys.path.insert(0, {tools!r})
from pathlib import Path
import mutation
mutation.REPOSITORY, mutation.WARM = Path.cwd(), ()
mutation.HEART, mutation.TESTS = ('package/heart',), ('tests',)
mutation.COPIED = ('package', 'tests')
mutation.main(['--out', 'found.json', '--docs', 'page.md', '--cache', 'cache', *sys.argv[1:]])
"""


@pytest.fixture
def mutation(tool_module):
    return tool_module('misc/mutation')


def changes(mutants):
    return {(one.before, one.operator.partition('/')[2].partition('_')[0]) for one in mutants}


def test_places_are_those_of_code_and_not_of_annotations_messages_and_signatures(mutation):
    found = changes(mutation.find_mutants('code.py', CODE))
    assert found == {
        ('def double(x: int | None, *, by: float = 2.0) -> float | int:', 'NumberReplacer'),
        ('if x is None:', 'ReplaceComparisonOperator'),
        ('if x is None:', 'AddNot'),
        ('return x * by', 'ReplaceBinaryOperator'),
        ('return x - 3', 'ReplaceBinaryOperator'),
        ('return x - 3', 'NumberReplacer'),
        ('return x + 0', 'ReplaceBinaryOperator'),
        ('return x + 0', 'NumberReplacer'),
    }


@pytest.fixture
def place(tmp_path):
    for path, text in {'package/heart/code.py': CODE, 'tests/test_code.py': TESTS}.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    return tmp_path


def test_a_change_of_one_line_draws_the_same_mutants_of_the_others(mutation, place, monkeypatch):
    monkeypatch.setattr(mutation, 'HEART', ('package/heart',))
    before = mutation.draw_mutants(place, 4, 0)
    assert len(before) == len({one.place for one in before}) == 4
    (place / 'package/heart/code.py').write_text('# a line more\n' + CODE)
    after = mutation.draw_mutants(place, 4, 0)
    assert [one.key for one in after] == [one.key for one in before]
    assert [one.line for one in after] == [one.line + 1 for one in before]
    assert changes(mutation.draw_mutants(place, 4, 1)) != changes(before)


def test_a_statement_is_executed_with_its_lines_and_a_function_with_its_signature(mutation):
    source = '@cached\ndef f(\n    x=1,\n):\n    if x:\n        g(\n            x)\nY = 2\n'
    lines = [mutation.executed_lines(source, line) for line in (1, 3, 5, 7, 8)]
    assert lines == [range(1, 8), range(1, 8), range(5, 6), range(6, 8), None]


def run(place, *args):
    driver = DRIVER.format(tools=str(REPOSITORY / 'tools/misc'))
    subprocess.run([sys.executable, '-c', driver, *args], cwd=place, check=True, timeout=120)
    return {one['before']: one for one in json.loads((place / 'found.json').read_text())}


@pytest.mark.slow
def test_a_run_tells_what_is_noticed_and_goes_on_where_it_stopped(place):
    first = run(place, '--number', '99', '--at-most', '1')
    assert sum(bool(one['outcome']) for one in first.values()) == 1
    found = run(place, '--number', '99')
    noticed = 'tests/test_code.py::test_double'
    assert found['return x * by']['outcome'] == found['if x is None:']['outcome'] == noticed
    assert found['return x - 3']['outcome'] == 'no test executes it'
    assert found['return x + 0']['outcome'] in ('survived', 'tests/test_code.py::test_idle')
    assert (place / 'package/heart/code.py').read_text() == CODE
    assert {path.name for path in place.iterdir()} == {
        'package', 'tests', 'cache', 'found.json', 'page.md',
    }  # fmt: skip

    mutants = json.loads((place / 'found.json').read_text())
    for one in mutants:
        if one['outcome'] in ('survived', 'no test executes it'):
            one['verdict'] = 'equivalent: nobody calls it'
    (place / 'found.json').write_text(json.dumps(mutants))
    assert run(place, '--number', '99').keys() == found.keys()
    page = (place / 'page.md').read_text()
    assert '| 100.0 % |' in page
    assert page.count('# Mutation score\n') == page.count('| folder |') == 1
    assert 'equivalent: nobody calls it' in page
