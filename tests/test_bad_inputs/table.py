"""The table of bad inputs: its rows, how a row is run, and the page of the documentation.

Write the page anew after a change of rows:
    python -m tests.test_bad_inputs.table
"""

import argparse
import contextlib
import importlib.util
import io
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmlabelpenet.apis import sentence_of
from mmlabelpenet.utils import UserError

REPOSITORY = Path(__file__).parents[2]
PAGE = REPOSITORY / 'docs/reference/bad_inputs.md'
# Modules of this package that have ROWS, in the order of the page, and the title of each.
KINDS = {
    'photos': 'Photos',
    'tags': 'Tag files',
    'voc': 'VOC annotations and masks',
    'coco': 'COCO files',
    'proposals': 'Proposals',
    'configs': 'Configs',
    'checkpoints': 'Checkpoints and results',
    'resume': 'Resumed runs and caches',
    'results': 'Results and exports',
    'command_lines': 'Command lines',
}
SECONDS = 60
INTRODUCTION = """# Bad inputs and what the package says

Each input below was given to the command or function that reads it; the sentence is what the user
gets, without a traceback, with exit code 2. `{root}` stands for the folder of the data, `{repo}`
for that of the repository. The test suite runs every row (`pytest tests/test_bad_inputs`) and
compares the sentence. The page is written by `python -m tests.test_bad_inputs.table`.
"""


@dataclass(frozen=True)
class BadInput:
    """A row of the table.

    Attributes:
        name: What is wrong with the input, in a few words; unique within the kind.
        run: Makes the input in the empty folder that it is given, and uses it as a user would.
        sentence: What the user gets, with ``{root}`` for that folder and ``{repo}`` for the
            repository's.
    """

    name: str
    run: Callable[[Path], Any]
    sentence: str


class NoSentenceError(AssertionError):
    """A bad input was accepted, or ended in something else than a sentence."""


def rows_of(kind: str) -> list[BadInput]:
    """Get the rows of a kind; none if its module is not written yet."""
    name = f'{__package__}.{kind}'
    if importlib.util.find_spec(name) is None:
        return []
    return importlib.import_module(name).ROWS


def answer(run: Callable[[Path], Any], root: Path) -> str:
    """Run a row in an empty folder and get the sentence that its user gets.

    Args:
        run: See :class:`BadInput`.
        root: The empty folder; also the working folder meanwhile.

    Raises:
        NoSentenceError: If the input is accepted or the answer is no sentence.
    """
    stream, folder = io.StringIO(), Path.cwd()
    os.chdir(root)
    signal.signal(signal.SIGALRM, _too_long)
    signal.alarm(SECONDS)
    try:
        with contextlib.redirect_stderr(stream):
            found = run(root)
    except UserError as error:
        text = sentence_of(error)
    except SystemExit as error:
        if error.code != 2:
            raise NoSentenceError(f'exit code {error.code}: {stream.getvalue()[-500:]}') from error
        text = stream.getvalue().strip().splitlines()[-1].partition('error: ')[2]
    else:
        raise NoSentenceError(f'accepted: {found!r}')
    finally:
        signal.alarm(0)
        os.chdir(folder)
    if not 10 < len(text) < 600 or '\n' in text or 'Traceback' in text:
        raise NoSentenceError(f'no sentence: {text!r}')
    return text.replace(str(root), '{root}').replace(str(REPOSITORY), '{repo}')


def _too_long(*_: Any) -> None:
    raise NoSentenceError(f'still running after {SECONDS} s')


def run_tool(name: str, *args: object) -> None:
    """Run a tool of the repository within this process.

    Args:
        name: Of its file below ``tools/``, without suffix.
        *args: Of its command line.
    """
    path = REPOSITORY / 'tools' / f'{name}.py'
    spec = importlib.util.spec_from_file_location(f'{path.stem}_tool', path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.main([str(arg) for arg in args])


def page() -> str:
    """Write the page of the documentation."""
    parts = [INTRODUCTION]
    for kind, title in KINDS.items():
        rows = rows_of(kind)
        if rows:
            lines = [f'| {_cell(row.name)} | {_cell(row.sentence)} |' for row in rows]
            parts.append('\n'.join([f'## {title}\n', '| input | sentence |', '|---|---|', *lines]))
    return '\n\n'.join(part.strip() for part in parts) + '\n'


def _cell(text: str) -> str:
    """Escape the marks that would end a cell or be taken for Markdown."""
    for mark in '\\|<>*_[]':
        text = text.replace(mark, f'\\{mark}')
    return text


if __name__ == '__main__':
    argparse.ArgumentParser(description=__doc__).parse_args()
    PAGE.write_text(page(), encoding='utf-8')
