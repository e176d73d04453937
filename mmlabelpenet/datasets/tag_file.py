"""Reading tag files: CSV or JSON, one entry per image."""

import csv
import io
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mmlabelpenet.utils import UserError, explain_read_errors

HEADERS = ('photo', 'image', 'file', 'filename', 'file_name', 'path')
CLASS_LINE = '#classes'
# Prefix of an unsure tag: the class is neither present nor absent.
UNSURE = '?'
CSV_REMEDY = 'write one line per photo, such as `photo.jpg,dog;person`'
JSON_REMEDY = 'write {"photo.jpg": ["dog", "person"]}'

Entry = tuple[str, list[str]]


@dataclass
class TagLine:
    """The tags of one image.

    Attributes:
        image: File name, relative to the folder of images.
        tags: Names of the classes in the image.
        unsure: Names of the classes that may be in the image.
    """

    image: str
    tags: list[str]
    unsure: list[str]


@dataclass
class TagFile:
    """The content of a tag file.

    Attributes:
        classes: Names, in the order of the file's list of classes, else sorted.
        lines: One per image, in the order of the file.
        problems: Sentences about entries that could not be used.
    """

    classes: tuple[str, ...]
    lines: list[TagLine]
    problems: list[str] = field(default_factory=list)


def read_tag_file(path: str | Path) -> TagFile:
    """Read a tag file.

    CSV (UTF-8; comma, semicolon or tab): the image, then its tags, in separate columns or
    separated by ``;`` or ``|`` in one. A first line of column names is ignored, a first line
    ``#classes,dog,cat`` lists the classes. JSON: ``{"a.jpg": ["dog"], ...}``, the same under
    ``photos`` next to a list of ``classes``, or objects ``{"photo": "a.jpg", "tags": ["dog"]}``
    in a list or one per line. A tag such as ``?dog`` is unsure: there may be a dog.

    Args:
        path: The file, ``.csv``, ``.tsv``, ``.txt``, ``.json`` or ``.jsonl``.

    Returns:
        Its content; of an image that is listed twice the first entry, and a problem.

    Raises:
        UserError: If the file is missing, is neither CSV nor JSON, or contains no tag.
    """
    path = Path(path)
    with explain_read_errors(path, 'a tag file', 'fix the path, or save it as UTF-8'):
        text = path.read_text(encoding='utf-8-sig')
    suffix = path.suffix.lower()
    is_json = suffix in ('.json', '.jsonl')
    kind, remedy = ('a JSON', JSON_REMEDY) if is_json else ('a CSV', CSV_REMEDY)
    with explain_read_errors(path, f'{kind} tag file', remedy):
        parsed = _parse_json(text, suffix == '.jsonl') if is_json else _parse_csv(text)
    return _collect(path, *parsed)


def _parse_csv(text: str) -> tuple[list[str], list[Entry]]:
    first = text.partition('\n')[0]
    # The first separator separates columns; others separate tags within a column.
    separators = [mark for mark in ',;\t' if mark in first]
    delimiter = min(separators, key=first.index) if separators else ','
    reader = csv.reader(io.StringIO(text), delimiter=delimiter, skipinitialspace=True)
    rows = [row for row in ([cell.strip() for cell in row] for row in reader) if any(row)]
    classes: list[str] = []
    if rows and rows[0][0].lower() == CLASS_LINE:
        classes = _split_tags(rows.pop(0)[1:])
    if rows and rows[0][0].lower() in HEADERS:
        rows.pop(0)
    return classes, [(row[0], _split_tags(row[1:])) for row in rows]


def _split_tags(cells: Iterable[str]) -> list[str]:
    parts = (part for cell in cells for part in cell.replace('|', ';').split(';'))
    return [part.strip() for part in parts if part.strip()]


def _parse_json(text: str, one_per_line: bool) -> tuple[list[str], list[Entry]]:
    lines = (line for line in text.splitlines() if line.strip())
    content: Any = [json.loads(line) for line in lines] if one_per_line else json.loads(text)
    classes: Any = []
    if isinstance(content, dict) and 'photos' in content:
        classes, content = content.get('classes', []), content['photos']
    if isinstance(content, dict):
        return _names(classes), [(image, _names(tags)) for image, tags in content.items()]
    entries = [(_names([entry['photo']])[0], _names(entry['tags'])) for entry in content]
    return _names(classes), entries


def _names(values: Any) -> list[str]:
    if not isinstance(values, list) or not all(isinstance(v, str) and v.strip() for v in values):
        raise TypeError(f'{values!r} is no list of names')
    return [value.strip() for value in values]


def _collect(path: Path, classes: Sequence[str], entries: Sequence[Entry]) -> TagFile:
    """Make the lines; an entry without an image, or of an image listed before, is a problem."""
    lines: dict[str, TagLine] = {}
    problems = []
    for number, (image, names) in enumerate(entries, start=1):
        if not image:
            problems.append(f'{path}: entry {number} names no photo: {CSV_REMEDY}.')
        elif image in lines:
            problems.append(f'{path} names the photo {image} twice: keep one line of it.')
        else:
            unsure = [name[1:].strip() for name in names if name.startswith(UNSURE)]
            tags = [name for name in names if not name.startswith(UNSURE)]
            lines[image] = TagLine(image, tags, unsure)
    found = {name for line in lines.values() for name in (*line.tags, *line.unsure)}
    if not found:
        raise UserError(f'{path} contains no tag: {CSV_REMEDY}.')
    unknown = sorted(found - set(classes)) if classes else []
    if unknown:
        problems.append(
            f'{path} has tags {", ".join(unknown)} that its own list of classes lacks: add them '
            'there or fix them.'
        )
    return TagFile(tuple(classes or sorted(found)), list(lines.values()), problems)
