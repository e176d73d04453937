"""README, the pages of docs/ and their bash blocks."""

import re
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]

FENCE = re.compile(r'^(\s*)```(\w*|\{\w+\})\s*$')
MARK = re.compile(r'^\s*<!--\s*(not run:(?P<reason>.*?)|run)\s*-->\s*$')


@dataclass(frozen=True)
class Block:
    """A block to run in bash: the number of its first line, its text, why it is not run."""

    line: int
    text: str
    reason: str | None = None


def blocks_of(markdown):
    """Blocks of a page that are commands, in order.

    These are all bash blocks, and Python blocks under a line ``<!-- run -->``. A bash block under
    ``<!-- not run: reason -->`` is not run. A mark without a reason, or without a block after it,
    is an error.
    """
    blocks, lines = [], iter(enumerate(markdown.splitlines(), start=1))
    mark = None
    for number, line in lines:
        fence, found = FENCE.match(line), MARK.match(line)
        if mark is not None and (fence is None or fence[2] != _language(mark)):
            raise ValueError(f'line {number}: no {_language(mark)} block follows the mark')
        if fence is not None:
            text = _body(lines, fence[1])
            if fence[2] == 'bash':
                blocks.append(Block(number + 1, text, _reason(mark)))
            elif mark is not None:
                blocks.append(Block(number + 1, f"python - <<'END'\n{text}\nEND"))
        if found is not None and found['reason'] is not None and not found['reason'].strip():
            raise ValueError(f'line {number}: the mark has no reason')
        mark = found
    if mark is not None:
        raise ValueError('the page ends after a mark')
    return blocks


def _reason(mark):
    return None if mark is None else mark['reason'].strip()


def _language(mark):
    return 'python' if mark['reason'] is None else 'bash'


def _body(lines, indent):
    """The lines up to the end of a block, without its indentation."""
    body = []
    for _, line in lines:
        if line.strip() == '```':
            return '\n'.join(body)
        body.append(line.removeprefix(indent))
    raise ValueError('the page ends within a block')


def pages():
    """Markdown files with commands, relative to the repository: those of docs/ and README."""
    paths = sorted((REPOSITORY / 'docs').rglob('*.md'))
    return ['README.md', *(str(path.relative_to(REPOSITORY)) for path in paths)]
