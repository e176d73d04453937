"""The pages of docs/ and their bash blocks."""

import re
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]

# Pages that are not run at all, each with its reason.
EXEMPT = {
    'benchmarks.md': 'its runs take minutes to hours on real photos',
    'get_started.md': 'it sets up environments',
    'datasets.md': 'it is being written anew',
}

FENCE = re.compile(r'^(\s*)```(\w*)\s*$')
MARK = re.compile(r'^\s*<!--\s*not run:(.*?)-->\s*$')


@dataclass(frozen=True)
class Block:
    """A bash block: the number of its first line in the page, its text, why it is not run."""

    line: int
    text: str
    reason: str | None = None


def blocks_of(markdown):
    """All bash blocks of a page, in order.

    A block is marked by ``<!-- not run: reason -->`` on the line before it. A mark without a
    reason, or one that no bash block follows, is an error.
    """
    blocks, fence, reason, body = [], None, None, []
    for number, line in enumerate(markdown.splitlines(), start=1):
        found = FENCE.match(line)
        if fence is not None:
            if found and not found[2]:
                if fence[1] == 'bash':
                    text = '\n'.join(row.removeprefix(fence[0]) for row in body)
                    blocks.append(Block(number - len(body), text, reason))
                fence, reason = None, None
            else:
                body.append(line)
        elif found and found[2]:
            if reason is not None and found[2] != 'bash':
                raise ValueError(f'line {number}: no bash block follows the mark')
            fence, body = (found[1], found[2]), []
        elif mark := MARK.match(line):
            reason = mark[1].strip()
            if not reason:
                raise ValueError(f'line {number}: the mark has no reason')
        elif found:
            fence, body = (found[1], ''), []
        elif reason is not None:
            raise ValueError(f'line {number}: no bash block follows the mark')
    if fence is not None or reason is not None:
        raise ValueError('the page ends within a block or after a mark')
    return blocks


def pages():
    """Markdown files of docs/ that are run, relative to it."""
    docs = REPOSITORY / 'docs'
    names = sorted(str(path.relative_to(docs)) for path in docs.rglob('*.md'))
    return [name for name in names if name not in EXEMPT]
