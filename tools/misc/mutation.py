"""Mutation score of the heart of the package: how many changes of its code do the tests notice?

Takes a seeded sample of Cosmic Ray's mutants and runs for each the tests that execute the changed
line, until one fails. It works on a copy of the repository, from a process that has imported torch
but nothing of the package, so it needs an operating system with ``fork``. A run that was cut goes
on where it stopped, and survivors that were not judged equivalent are run again.

Example:
    pip install -r requirements/mutation.txt
    python tools/misc/mutation.py --number 180
"""

import argparse
import ast
import hashlib
import importlib
import json
import os
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections import defaultdict
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import mutate_code
from cosmic_ray.plugins import get_operator, operator_names
from coverage import Coverage

REPOSITORY = Path(__file__).parents[2]
COPIED = ('mmlabelpenet', 'tests', 'configs', 'tools', 'benchmark', 'demo', 'pyproject.toml')
HEART = ('mmlabelpenet/models', 'mmlabelpenet/engine', 'mmlabelpenet/structures')
TESTS = (
    'tests/test_models',
    'tests/test_engine',
    'tests/test_structures',
    'tests/test_apis',
    'tests/test_end_to_end.py',
)
WARM = ('torch', 'mmdet.apis', 'mmengine.runner', 'scipy.ndimage', 'pycocotools.mask')
# Replacements within a family; others, as `x is y` for `x == y` or shifts of floats, say little.
FAMILIES = (
    {'Add', 'Sub', 'Mul', 'Div', 'FloorDiv', 'Mod', 'Pow'},
    {'BitOr', 'BitAnd', 'BitXor'},
    {'Eq', 'NotEq', 'Lt', 'LtE', 'Gt', 'GtE'},
    {'Is', 'IsNot'},
)
# Parents of a `*`, `**` or `=` that is no operator of an expression.
NO_EXPRESSION = ('parameters', 'param', 'lambdef', 'dictorsetmaker', 'arglist', 'argument')
SURVIVED, UNTESTED = 'survived', 'no test executes it'
INTRODUCTION = """# Mutation score

Does a test fail when a line of the code is changed? `tools/misc/mutation.py` changes one place of
the models, the engine and the structures at a time, with the operators of
[Cosmic Ray](https://github.com/sixty-north/cosmic-ray), and runs the tests that execute the line.
The sample is random and takes of each file its share. Docstrings, annotations, texts of messages
and changes that do not compile are left out. Survivors are judged by hand: an equivalent mutant
changes nothing that the package promises.
"""
TABLES = """
Sample of seed {seed}, Cosmic Ray {version}:

| folder | mutants | noticed | equivalent | not noticed | score |
|---|---|---|---|---|---|
{rows}

## Survivors

| place | code | change | verdict |
|---|---|---|---|
{survivors}
"""


@dataclass(frozen=True)
class Mutant:
    """A change of one place, and what became of it.

    Attributes:
        path: File, relative to the repository.
        line: Of the place, from 1.
        column: Of the place, from 0.
        operator: Name of Cosmic Ray's operator.
        occurrence: Which of the operator's places in the file.
        before: The line.
        after: The changed line; empty where the line is removed.
        outcome: The test that noticed it, or ``SURVIVED`` or ``UNTESTED``; empty before it ran.
        seconds: That its tests took.
        verdict: Written by hand for survivors: ``equivalent: reason`` or ``real: reason``.
    """

    path: str
    line: int
    column: int
    operator: str
    occurrence: int
    before: str
    after: str = ''
    outcome: str = ''
    seconds: float = 0.0
    verdict: str = ''

    @property
    def place(self) -> tuple[int, int]:
        """Where its file is changed; one place can be changed in several ways."""
        return self.line, self.column

    @property
    def key(self) -> tuple:
        """Equal for the same change of the same line, wherever the line stands by now."""
        return self.path, self.column, self.before, self.after

    @property
    def survives(self) -> bool:
        """Whether no test noticed it."""
        return self.outcome in (SURVIVED, UNTESTED)

    @property
    def equivalent(self) -> bool:
        """Whether it changes nothing that the package promises."""
        return self.survives and self.verdict.startswith('equivalent')

    def rank(self, seed: int) -> bytes:
        """Its place in the random order of a seed, whatever other lines of the file are like."""
        parts = seed, self.path, self.before, self.column, self.operator
        return hashlib.blake2b(repr(parts).encode()).digest()

    def changed(self, source: str) -> str | None:
        """The source with the change; None if it does not compile."""
        code = mutate_code(source, get_operator(self.operator)(), self.occurrence)
        with suppress(SyntaxError, ValueError):
            compile(code or '(', self.path, 'exec')
            return code
        return None


class Record(NamedTuple):
    """What a run of the tests without any change gave.

    Attributes:
        seconds: Of each test that passes.
        lines: For each file and line (as text) the tests that execute it.
    """

    seconds: dict[str, float]
    lines: dict[str, dict[str, list[str]]]


class Recorder:
    """Pytest plugin: records the lines that tests execute, and their seconds.

    Lines that a shared fixture executes count for all tests that use it.
    """

    def __init__(self, coverage: Coverage) -> None:
        self.coverage = coverage
        self.contexts = ['']
        self.fixtures: dict[str, list[str]] = {}
        self.seconds: dict[str, float] = defaultdict(float)
        self.failed: set[str] = set()

    @contextmanager
    def context(self, name: str) -> Iterator[None]:
        """Count lines for this test or fixture."""
        self.contexts.append(name)
        self.coverage.switch_context(name)
        yield
        self.contexts.pop()
        self.coverage.switch_context(self.contexts[-1])

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator:
        """Count for a test what it executes."""
        self.fixtures[item.nodeid] = list(item.fixturenames)  # type: ignore[attr-defined]
        with self.context(item.nodeid):
            return (yield)

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(self, fixturedef: pytest.FixtureDef) -> Generator:
        """Count for a shared fixture what it executes."""
        if fixturedef.scope == 'function':
            return (yield)
        with self.context(f'{fixturedef.baseid}\n{fixturedef.argname}'):
            return (yield)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note how long a test took, and whether it failed."""
        self.seconds[report.nodeid] += report.duration
        if report.outcome != 'passed':
            self.failed.add(report.nodeid)

    def tests_of(self, context: str) -> set[str]:
        """The tests that count for a context."""
        base, _, fixture = context.partition('\n')
        if not fixture:
            return {context} - {''} - self.failed
        users = (test for test, names in self.fixtures.items() if fixture in names)
        return {test for test in users if test.startswith(base)} - self.failed

    def record(self, root: Path) -> Record:
        """Everything that was recorded, files relative to ``root``."""
        data, lines = self.coverage.get_data(), {}
        tests = {name: self.tests_of(name) for name in data.measured_contexts()}
        for path in data.measured_files():
            lines[str(Path(path).relative_to(root))] = {
                str(line): sorted(set().union(*(tests[name] for name in names)))
                for line, names in data.contexts_by_lineno(path).items()
            }
        passed = self.seconds.keys() - self.failed
        return Record({test: round(self.seconds[test], 3) for test in sorted(passed)}, lines)


class Selection:
    """Pytest plugin: runs some of the collected tests."""

    def __init__(self, tests: set[str]) -> None:
        self.tests = tests

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Leave the other tests out."""
        items[:] = [item for item in items if item.nodeid in self.tests]


def is_wanted(name: str) -> bool:
    """Whether an operator of Cosmic Ray is used: it needs no arguments and says something."""
    kind, *pair = name.split('_')
    replaces = kind.endswith(('BinaryOperator', 'ComparisonOperator'))
    within = any(set(pair) <= family for family in FAMILIES)
    return not get_operator(name).arguments() and (within or not replaces)


def is_code(node: Any) -> bool:
    """Whether a node is no part of an annotation, an f-string or an unpacking."""
    if node.type == 'operator' and node.parent.type in NO_EXPRESSION:
        return False
    child, parent = node, node.parent
    while parent is not None:
        annotation = {'annassign': 1, 'tfpdef': 2, 'funcdef': -3}.get(parent.type)
        if parent.type == 'fstring' or (annotation and parent.children[annotation] is child):
            return False
        child, parent = parent, parent.parent
    return True


def find_mutants(path: str, source: str) -> list[Mutant]:
    """Find the mutants of a file, those among them that do not compile too.

    Args:
        path: Of the file, relative to the repository.
        source: Its text.
    """
    nodes, lines, found = list(ast_nodes(get_ast(source))), source.splitlines(), []
    for name in filter(is_wanted, operator_names()):
        positions = get_operator(name)().mutation_positions
        places = [(node, start) for node in nodes for start, _ in positions(node)]
        found += [
            Mutant(path, line, column, name, occurrence, lines[line - 1].strip())
            for occurrence, (node, (line, column)) in enumerate(places)
            if is_code(node)
        ]
    return found


def draw_mutants(root: Path, number: int, seed: int) -> list[Mutant]:
    """Draw a random sample of places, and one of the mutants of each.

    Args:
        root: Of the repository.
        number: Of places; each file has its share of them, at least one.
        seed: Of the sample.
    """
    paths = sorted(path for folder in HEART for path in (root / folder).rglob('*.py'))
    sources = {str(path.relative_to(root)): path.read_text(encoding='utf-8') for path in paths}
    files = {path: find_mutants(path, source) for path, source in sources.items()}
    sizes = {path: len({one.place for one in mutants}) for path, mutants in files.items()}
    drawn = []
    for path, mutants in files.items():
        share = max(1, round(number * sizes[path] / sum(sizes.values())))
        chosen: dict[tuple, Mutant] = {}
        for mutant in sorted(mutants, key=lambda one: one.rank(seed)):
            if len(chosen) < share and mutant.place not in chosen:
                code = mutant.changed(sources[path])
                if code is not None:
                    chosen[mutant.place] = replace(mutant, after=line_of(code, mutant, sources))
        drawn += sorted(chosen.values(), key=lambda one: one.place)
    return drawn


def line_of(code: str, mutant: Mutant, sources: dict[str, str]) -> str:
    """The line of a changed source that a mutant changes; empty if it is removed."""
    lines, before = code.splitlines(), sources[mutant.path].splitlines()
    return lines[mutant.line - 1].strip() if len(lines) == len(before) else ''


def executed_lines(source: str, line: int) -> range | None:
    """Lines that are executed with a line: those of its statement.

    Args:
        source: Of the file.
        line: Of the place, from 1.

    Returns:
        For decorators and signatures the lines of the function; None for statements outside of
        functions, on which all of the file depends.
    """
    # Outer statements come before inner ones.
    statements = (one for one in ast.walk(ast.parse(source)) if isinstance(one, ast.stmt))
    around = [one for one in statements if line in lines_of(one)]
    inner = around[-1] if around else None
    if inner is None or not any(isinstance(one, ast.FunctionDef) for one in around):
        return None
    body = getattr(inner, 'body', None)
    if not body or isinstance(inner, ast.FunctionDef):
        return lines_of(inner)
    return range(inner.lineno, max(body[0].lineno, line + 1))  # the head of an if, for or with


def lines_of(node: ast.stmt) -> range:
    """The lines of a statement with its decorators."""
    decorators = (one.lineno for one in getattr(node, 'decorator_list', ()))
    end = node.lineno if node.end_lineno is None else node.end_lineno
    return range(min([node.lineno, *decorators]), end + 1)


def choose_tests(mutant: Mutant, source: str, record: Record) -> set[str]:
    """The tests that execute the changed line."""
    lines = record.lines.get(mutant.path, {})
    wanted = executed_lines(source, mutant.line)
    chosen = [tests for line, tests in lines.items() if wanted is None or int(line) in wanted]
    tests = set().union(*chosen)
    if not tests and str(mutant.line) in lines:  # executed by the import alone
        tests = set().union(*lines.values()) or set(record.seconds)
    return tests


def fork(task: Callable[[], int], log: Path, limit: float = 3600.0) -> int | None:
    """Run a task in a child process and end what it started.

    Args:
        task: Gives the exit code.
        log: Gets its output.
        limit: In seconds.

    Returns:
        The exit code, or None if the task took longer.
    """
    pid = os.fork()
    if pid == 0:
        os.setsid()
        output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(output, 1), os.dup2(output, 2)
        try:
            code = task()
        except BaseException:
            traceback.print_exc()
            code = 70
        sys.stdout.flush(), sys.stderr.flush()
        os._exit(code)
    end, status = time.monotonic() + limit, None
    while status is None and time.monotonic() < end:
        time.sleep(0.05)
        done, code = os.waitpid(pid, os.WNOHANG)
        status = os.waitstatus_to_exitcode(code) if done else None
    with suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)
    if status is None:
        os.waitpid(pid, 0)
    return status


def run_pytest(root: Path, args: Sequence[str], plugin: object) -> int:
    """Run tests of a copy of the repository in this process."""
    os.chdir(root)
    sys.path.insert(0, str(root))
    os.environ['PYTHONPATH'] = str(root)
    return int(pytest.main(['-q', '-p', 'no:xdist', '-p', 'no:cacheprovider', *args], [plugin]))


def record_tests(root: Path, target: Path) -> int:
    """Run all tests once and write their record; the exit code."""
    coverage = Coverage(data_file=None, source=[str(root / folder) for folder in HEART])
    recorder = Recorder(coverage)
    coverage.start()
    code = run_pytest(root, TESTS, recorder)
    coverage.stop()
    target.write_text(json.dumps(recorder.record(root)._asdict()))
    return code


def test_mutant(root: Path, mutant: Mutant, record: Record, log: Path) -> Mutant:
    """Run the tests of a mutant on a copy of the repository, which is left as it was."""
    path = root / mutant.path
    source, times = path.read_text(encoding='utf-8'), path.stat()
    tests = choose_tests(mutant, source, record)
    if not tests:
        return replace(mutant, outcome=UNTESTED)
    # Cheap files first.
    costs: dict[str, float] = defaultdict(float)
    for test in tests:
        costs[test.partition('::')[0]] += record.seconds[test]
    args = ['-x', *sorted(costs, key=lambda name: costs[name])]
    path.write_text(mutant.changed(source), encoding='utf-8')  # type: ignore[arg-type]
    start = time.monotonic()
    try:
        limit = 60 + 5 * sum(costs.values())
        code = fork(lambda: run_pytest(root, args, Selection(tests)), log, limit)
    finally:
        path.write_text(source, encoding='utf-8')
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))  # its bytecode stays valid
    outcome = SURVIVED if code == 0 else first_failure(code, log)
    return replace(mutant, outcome=outcome, seconds=round(time.monotonic() - start, 1))


def first_failure(code: int | None, log: Path) -> str:
    """What noticed a mutant, from the output of its tests."""
    marks = ('FAILED ', 'ERROR ')
    lines = log.read_text(errors='replace').splitlines()
    failed = [line.split(' ')[1] for line in lines if line.startswith(marks)]
    return failed[0] if failed else 'time limit' if code is None else f'exit code {code}'


def copy_repository(folder: Path) -> str:
    """Copy what tests need; a digest of the package, the tests and which of them are run."""
    digest = hashlib.blake2b(repr(TESTS).encode(), digest_size=8)
    for name in COPIED:
        source = REPOSITORY / name
        if source.is_dir():
            ignored = shutil.ignore_patterns('__pycache__')
            shutil.copytree(source, folder / name, ignore=ignored)
        else:
            shutil.copy2(source, folder / name)
    for path in sorted((*folder.glob('mmlabelpenet/**/*.py'), *folder.glob('tests/**/*.py'))):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def read_mutants(path: Path) -> list[Mutant]:
    """Read the mutants of an earlier run, none if there was none."""
    return [Mutant(**one) for one in json.loads(path.read_text())] if path.exists() else []


def write_mutants(path: Path, mutants: Sequence[Mutant]) -> None:
    """Write mutants so that a run that is cut leaves the former file or the new one."""
    temporary = path.with_suffix('.tmp')
    temporary.write_text(json.dumps([asdict(one) for one in mutants], indent=1) + '\n')
    temporary.replace(path)


def score(mutants: Sequence[Mutant]) -> float:
    """Percentage of the mutants that are not equivalent which some test noticed."""
    counted = [one for one in mutants if one.outcome and not one.equivalent]
    return 100 * sum(not one.survives for one in counted) / max(len(counted), 1)


def write_page(path: Path, mutants: Sequence[Mutant], seed: int) -> None:
    """Write the tables of a page; a text above them that was written by hand stays."""
    groups = {folder: [one for one in mutants if one.path.startswith(folder)] for folder in HEART}
    rows = [
        f'| {name} | {len(group)} | {sum(not one.survives for one in group)} '
        f'| {sum(one.equivalent for one in group)} '
        f'| {sum(one.survives and not one.equivalent for one in group)} | {score(group):.1f} % |'
        for name, group in (*groups.items(), ('all', mutants))
    ]
    survivors = [
        f'| {one.path.removeprefix("mmlabelpenet/")}:{one.line} | {as_code(one.before)} '
        f'| {as_code(one.after) if one.after else "(removed)"} | {one.verdict or "not judged"} |'
        for one in mutants
        if one.survives
    ]
    texts = dict(rows='\n'.join(rows), survivors='\n'.join(survivors))
    tables = TABLES.format(version=version('cosmic_ray'), seed=seed, **texts)
    page = path.read_text() if path.exists() else INTRODUCTION
    path.write_text(page.partition(TABLES.partition('{')[0])[0].rstrip('\n') + '\n' + tables)


def as_code(text: str) -> str:
    """A text as code within a cell of a table."""
    escaped = text.replace('|', '\\|')
    return f'`{escaped}`'


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--number', type=int, default=180, help='of mutants')
    parser.add_argument('--seed', type=int, default=0, help='of the sample')
    parser.add_argument('--only', default='', help='start of the paths to run')
    parser.add_argument('--at-most', type=int, help='number of mutants to run now')
    parser.add_argument('--out', type=Path, default='docs/research/benchmarks/mutation.json')
    parser.add_argument('--docs', type=Path, default='docs/research/mutation.md')
    parser.add_argument('--cache', type=Path, default='work_dirs/mutation', help='of coverage')
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the mutants of the sample that have no outcome yet; the exit code."""
    args = parse_args(argv)
    former = {one.key: one for one in read_mutants(args.out)}
    mutants = draw_mutants(REPOSITORY, args.number, args.seed)
    mutants = [carried_over(one, former[one.key]) if one.key in former else one for one in mutants]
    pending = [
        index
        for index, one in enumerate(mutants)
        if one.path.startswith(args.only) and (not one.outcome or one.survives)
        if not one.equivalent
    ][: args.at_most]
    args.cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        root, log = Path(folder).resolve(), args.cache / 'tests.log'
        record = args.cache.resolve() / f'coverage_{copy_repository(root)}.json'
        for name in WARM if pending else ():
            importlib.import_module(name)
        if pending and not record.exists():
            code = fork(lambda: record_tests(root, record), log)
            print(f'recorded the tests without a change, exit code {code}')
        tests = Record(**json.loads(record.read_text())) if pending else Record({}, {})
        for number, index in enumerate(pending, 1):
            mutants[index] = one = test_mutant(root, mutants[index], tests, log)
            print(f'{number}/{len(pending)} {one.path}:{one.line} {one.after}: {one.outcome}')
            write_mutants(args.out, mutants)
    write_mutants(args.out, mutants)
    write_page(args.docs, mutants, args.seed)
    print(f'{score(mutants):.1f} % of the mutants that are not equivalent were noticed.')
    return 0


def carried_over(mutant: Mutant, former: Mutant) -> Mutant:
    """A mutant with what became of it in an earlier run."""
    kept = ('outcome', 'seconds', 'verdict')
    return replace(mutant, **{name: getattr(former, name) for name in kept})


if __name__ == '__main__':
    sys.exit(main())
