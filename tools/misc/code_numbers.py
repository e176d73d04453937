"""Print the size of the code beside that of an earlier commit, and what is missing in it.

Statements are those of Python's syntax without docstrings, so that shorter documentation makes no
number smaller.

Example:
    python tools/misc/code_numbers.py --check
    python tools/misc/code_numbers.py ../other_checkout
"""

import argparse
import ast
import sys
from collections.abc import Iterator, Sequence
from graphlib import CycleError, TopologicalSorter
from importlib.util import resolve_name
from pathlib import Path
from typing import NamedTuple

# What this script measured at d0e8597, and the most that --check accepts. The redesign had brought
# the package to 92 % of its statements; the checks of inputs that came after it take 4,000, the
# fast search 200; labels of a batch that wait for a GPU a few times take the heart 100,
# learned proposals 80, what shows labels on their way 150, faster steps on a GPU another 80, the
# baselines on a mid-level map 20, the short screen and the painting of pictures 140,
# labels that are made anew and last 100.
LIMITS = {
    'lines of the detector': (459, 200),
    'lines of the longest file': (459, 350),
    'statements of models, engine, structures': (2690, 3600),
    'statements of the package': (6496, 12700),
    'statements of tools and benchmark': (1968, 4000),
    'lines of a function, median': (11, 11),
    'lines of a function, 90 %': (27, 27),
    'without docstring and blank lines, median': (8, 11),
    'without docstring and blank lines, 90 %': (20, 27),
    'import circles': (0, 0),
    'functions without type hints': (0, 0),
    'public names without docstring': (0, 0),
}
Function = ast.FunctionDef | ast.AsyncFunctionDef


class Source(NamedTuple):
    """A Python file."""

    path: Path
    lines: list[str]
    tree: ast.Module

    @property
    def functions(self) -> list[Function]:
        """All functions, methods and nested functions."""
        return [node for node in ast.walk(self.tree) if isinstance(node, Function)]

    @property
    def module(self) -> str:
        """Its dotted name, that of the package for an ``__init__.py``."""
        return '.'.join(self.path.with_suffix('').parts).removesuffix('.__init__')


def read_sources(root: Path, *folders: str) -> list[Source]:
    """Read all Python files of some folders of a repository."""
    paths = sorted(path for folder in folders for path in (root / folder).rglob('*.py'))
    texts = {path.relative_to(root): path.read_text(encoding='utf-8') for path in paths}
    return [Source(path, text.splitlines(), ast.parse(text)) for path, text in texts.items()]


def docstring_lines(node: ast.AST) -> range:
    """Numbers of the lines of a node's docstring; empty without one."""
    documented = isinstance(node, Function | ast.ClassDef | ast.Module)
    documented = documented and ast.get_docstring(node) is not None
    return range(node.body[0].lineno, node.body[0].end_lineno + 1) if documented else range(0)


def count_statements(sources: Sequence[Source]) -> int:
    """Count statements, docstrings left out."""
    return sum(
        isinstance(node, ast.stmt) - bool(docstring_lines(node))
        for source in sources
        for node in ast.walk(source.tree)
    )


def code_lines(source: Source, function: Function) -> int:
    """Count the lines of a function without its docstring and blank lines."""
    numbers = {*range(function.lineno, function.end_lineno + 1)} - {*docstring_lines(function)}
    return sum(bool(source.lines[number - 1].strip()) for number in numbers)


def imported(source: Source, modules: set[str]) -> set[str]:
    """Modules of the package that a module imports while it is loaded.

    ``from a import b`` imports ``a.b`` if that is a module, else ``a``.
    """
    found = set()
    package = '.'.join(source.path.parent.parts)
    for node in source.tree.body:
        base = ''
        if isinstance(node, ast.ImportFrom):
            base = resolve_name('.' * node.level + (node.module or ''), package)
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = {f'{base}.{alias.name}'.lstrip('.') for alias in node.names}
            found |= {name if name in modules else base for name in names}
    return found & modules


def find_circles(sources: Sequence[Source]) -> list[str]:
    """Circles of modules that import one another, and share no import."""
    modules = {source.module for source in sources}
    graph = {source.module: imported(source, modules) for source in sources}
    circles = []
    while True:
        try:
            TopologicalSorter(graph).prepare()
            return [' <- '.join(circle) for circle in circles]
        except CycleError as error:
            circles.append(error.args[1])
            graph[circles[-1][1]].remove(circles[-1][0])


def without_hint(source: Source) -> Iterator[str]:
    """Name each function that lacks type hints."""
    for function in source.functions:
        args = function.args
        every = [*args.posonlyargs, *args.args, *args.kwonlyargs, args.vararg, args.kwarg]
        bare = {one.arg for one in every if one and one.annotation is None} - {'self', 'cls'}
        if bare or function.returns is None:
            yield f'{source.path}:{function.lineno} {function.name}'


def without_docstring(path: Path, node: ast.Module | ast.ClassDef | Function) -> Iterator[str]:
    """Name each public module, class, function and method that lacks a docstring."""
    if not docstring_lines(node):
        yield f'{path} {getattr(node, "name", "")}'
    for child in [] if isinstance(node, Function) else node.body:
        if isinstance(child, ast.ClassDef | Function) and not child.name.startswith('_'):
            yield from without_docstring(path, child)


def measure(root: Path) -> dict[str, tuple[int, list[str]]]:
    """Numbers of a checkout, with the names of what makes them large where these are known."""
    package, tools = read_sources(root, 'mmlabelpenet'), read_sources(root, 'tools', 'benchmark')
    heart = [one for one in package if one.path.parts[1] in ('models', 'engine', 'structures')]
    files = [
        *(one for one in heart if one.path.name == 'label_penet.py'),
        max(package, key=lambda source: len(source.lines)),
    ]
    functions = [(source, function) for source in package for function in source.functions]
    lines = sorted(function.end_lineno - function.lineno + 1 for _, function in functions)
    code = sorted(code_lines(*one) for one in functions)
    missing = (
        find_circles(package),
        [name for one in package + tools for name in without_hint(one)],
        [name for one in package + tools for name in without_docstring(one.path, one.tree)],
    )
    numbers = (
        *((len(one.lines), [str(one.path)]) for one in files),
        *((count_statements(sources), []) for sources in (heart, package, tools)),
        *((part[int(len(part) * at)], []) for part in (lines, code) for at in (0.5, 0.9)),
        *((len(names), names) for names in missing),
    )
    return dict(zip(LIMITS, numbers))


def main(argv: Sequence[str] | None = None) -> int:
    """Print the numbers; with ``--check`` the exit code is 1 if one is too large."""
    parser = argparse.ArgumentParser(description='Measure the size of the code')
    parser.add_argument('root', nargs='?', type=Path, default=Path(__file__).parents[2])
    parser.add_argument('--check', action='store_true', help='fail if a number is too large')
    args = parser.parse_args(argv)
    print(f'{"":44}{"now":>7}{"d0e8597":>9}{"at most":>9}')
    numbers = measure(args.root)
    for name, (number, names) in numbers.items():
        baseline, most = LIMITS[name]
        remark = ['  too large:', *names] if number > most else []
        print(f'{name:44}{number:7}{baseline:9}{most:9}', *remark)
    return int(args.check and any(numbers[name][0] > most for name, (_, most) in LIMITS.items()))


if __name__ == '__main__':
    sys.exit(main())
