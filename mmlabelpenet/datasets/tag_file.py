"""Reading files of tags: CSV or JSON, one line an image."""

import csv
import io
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mmlabelpenet.utils import UserError

HEADERS = ('photo', 'image', 'file', 'filename', 'file_name', 'path')
CLASS_LINE = '#classes'
# A tag that begins with it is a maybe: neither a tag nor its absence.
UNSURE = '?'
FORM = 'write one line a photo, such as `photo.jpg,dog;person`'


@dataclass
class TagLine:
    """What one line says.

    Attributes:
        image: File name, relative to the folder of images.
        tags: Names of classes that are in the image.
        unsure: Names of classes of which nobody knows.
    """

    image: str
    tags: list[str]
    unsure: list[str]


@dataclass
class TagFile:
    """What a file of tags says.

    Attributes:
        classes: Names, in the order that the file gives, else in that of the alphabet.
        lines: One per image, in the order of the file.
        problems: Sentences on lines that could not be used.
    """

    classes: tuple[str, ...]
    lines: list[TagLine]
    problems: list[str] = field(default_factory=list)


def read_tag_file(path: str | Path) -> TagFile:
    """Read a file of tags.

    CSV (UTF-8; comma, semicolon or tab): the image, then its tags, in columns of their own or
    parted by ``;`` or ``|`` in one. A first line of column names is left out, a first line
    ``#classes,dog,cat`` names the classes. JSON: ``{"a.jpg": ["dog"], ...}``, that under
    ``images`` beside a list of ``classes``, or objects ``{"image": "a.jpg", "tags": ["dog"]}``
    in a list or one a line. A tag such as ``?dog`` leaves open whether there is a dog.

    Args:
        path: The file, ``.csv``, ``.tsv``, ``.txt``, ``.json`` or ``.jsonl``.

    Returns:
        What it says, with an image that comes twice named in ``problems`` and taken once.

    Raises:
        UserError: If the file is missing, is neither CSV nor JSON, or holds no tag at all.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding='utf-8-sig')
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(
            f'The file of tags {path} cannot be read ({error}): mend the path, or '
            'save it as UTF-8.'
        ) from None
    is_json = path.suffix.lower() in ('.json', '.jsonl')
    classes, rows = _read_json(path, text) if is_json else _read_csv(path, text)
    return _collect(path, classes, rows)


Row = tuple[str, list[str]]


def _read_csv(path: Path, text: str) -> tuple[list[str], list[Row]]:
    first = text.partition('\n')[0]
    # The first mark to come parts columns; later ones part tags within a column.
    marks = [mark for mark in ',;\t' if mark in first]
    delimiter = min(marks, key=first.index) if marks else ','
    try:
        rows = [
            [cell.strip() for cell in row]
            for row in csv.reader(io.StringIO(text), delimiter=delimiter, skipinitialspace=True)
        ]
    except csv.Error as error:
        raise UserError(f'{path} is no CSV ({error}): {FORM}.') from None
    rows = [row for row in rows if any(row)]
    classes: list[str] = []
    if rows and rows[0][0].lower() == CLASS_LINE:
        classes = _split_tags(rows.pop(0)[1:])
    if rows and rows[0][0].lower() in HEADERS:
        rows.pop(0)
    return classes, [(row[0], _split_tags(row[1:])) for row in rows]


def _split_tags(cells: Iterable[str]) -> list[str]:
    parts = (part for cell in cells for part in cell.replace('|', ';').split(';'))
    return [part.strip() for part in parts if part.strip()]


def _read_json(path: Path, text: str) -> tuple[list[str], list[Row]]:
    try:
        if path.suffix.lower() == '.jsonl':
            content: Any = [json.loads(line) for line in text.splitlines() if line.strip()]
        else:
            content = json.loads(text)
        classes: Any = []
        if isinstance(content, dict) and 'photos' in content:
            classes, content = content.get('classes', []), content['photos']
        if isinstance(content, dict):
            return _names(classes), [(image, _names(tags)) for image, tags in content.items()]
        return _names(classes), [(_name(row['photo']), _names(row['tags'])) for row in content]
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(
            f'{path} is no JSON of tags ({type(error).__name__}: {error}): write '
            '{"photo.jpg": ["dog", "person"]}.'
        ) from None


def _name(value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise TypeError(f'{value!r} is no name')
    return value.strip()


def _names(values: Any) -> list[str]:
    if not isinstance(values, list):
        raise TypeError(f'{values!r} is no list of names')
    return [_name(value) for value in values]


def _collect(path: Path, classes: Sequence[str], rows: Sequence[Row]) -> TagFile:
    """Put the rows together; what names no image, or one that was there, is a problem."""
    lines: dict[str, TagLine] = {}
    problems = []
    for number, (image, names) in enumerate(rows, start=1):
        if not image:
            problems.append(f'{path}: entry {number} names no photo: {FORM}.')
        elif image in lines:
            problems.append(f'{path} names the photo {image} twice: leave one line of it.')
        else:
            unsure = [name[1:].strip() for name in names if name.startswith(UNSURE)]
            tags = [name for name in names if not name.startswith(UNSURE)]
            lines[image] = TagLine(image, tags, unsure)
    found = {name for line in lines.values() for name in (*line.tags, *line.unsure)}
    if not found:
        raise UserError(f'{path} holds no tag at all: {FORM}.')
    unknown = sorted(found - set(classes)) if classes else []
    if unknown:
        problems.append(
            f'{path} has tags {", ".join(unknown)} that its own list of classes lacks: add them '
            'there or mend them.'
        )
    return TagFile(tuple(classes or sorted(found)), list(lines.values()), problems)
