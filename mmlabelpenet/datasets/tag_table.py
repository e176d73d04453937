"""Reading CSV tag files."""

import ast
import csv
import io
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from mmlabelpenet.utils import IMAGE_SUFFIXES, UserError

from .tag_columns import (
    FLAG_VALUES,
    FLAGS,
    UNSURE,
    Columns,
    Row,
    assign_columns,
    column_kind,
    simplify_flag,
)

CLASS_LINE = '#classes'
# A tag below this confidence is neither present nor, as with 0, absent.
MIN_CONFIDENCE = 0.5
_SUFFIXES = frozenset((*IMAGE_SUFFIXES, '.gif', '.jfif', '.heic', '.avif'))


class Entry(NamedTuple):
    """An image and its tags as they stand in a file.

    Attributes:
        image: Its name.
        tags: Names of classes, unsure ones with the prefix ``?``.
        place: Where it stands, such as ``'line 3'``.
    """

    image: str
    tags: list[str]
    place: str


def is_image_name(name: str) -> bool:
    """Whether a name ends like that of an image."""
    # As pathlib's suffix, which is ten times as slow.
    stem, _, suffix = name.rstrip('/').rpartition('.')
    return stem[-1:] not in ('', '/') and f'.{suffix.lower()}' in _SUFFIXES


def parse_table(path: Path, text: str) -> tuple[list[str], list[Entry]]:
    """Read the content of a CSV tag file.

    Args:
        path: The file, for messages.
        text: Its content.

    Returns:
        The classes in their order, if the file lists them; an entry per image, or several of
        an image that occurs more than once.

    Raises:
        UserError: If a quotation mark is not closed, or a column has no clear meaning.
    """
    rows = _read_rows(path, text)
    classes: list[str] = []
    if rows and rows[0].cells[0].casefold() == CLASS_LINE:
        names = re.split('[;|]', ';'.join(rows.pop(0).cells[1:]))
        classes = [name.strip() for name in names if name.strip()]
    for row in rows:
        if row.cells[0].casefold() == CLASS_LINE:
            raise UserError(
                f'{path} has {CLASS_LINE} in line {row.number}: write it once, in the first line.'
            )
    if not rows or not _has_header(path, rows):
        entries = [
            Entry(row.cells[0], split_tags(row.cells[1:], classes), f'line {row.number}')
            for row in rows
        ]
        return classes, entries
    header = rows.pop(0)
    if not rows:
        return classes, []
    columns = assign_columns(path, header, rows)
    _require_width(path, header, columns, rows)
    if columns.flags:
        names = [header.cells[column] for column in columns.flags]
        return classes or names, _read_flags(path, names, columns, rows)
    return classes, _read_tags(path, header, columns, rows, classes)


def split_tags(cells: Iterable[str], classes: Sequence[str] = ()) -> list[str]:
    """Split cells into tags at ``;``, ``|`` and ``,``; Python's lists are understood too.

    Args:
        cells: The cells.
        classes: Names that are never split.
    """
    tags: list[str] = []
    for cell in cells:
        if cell.removeprefix(UNSURE).strip() in classes:
            tags.append(cell)
            continue
        if re.fullmatch(r'\[(\s*(["\']).*\2)?\s*\]', cell):
            tags += map(str, ast.literal_eval(cell))
            continue
        for part in re.split('[;|]', cell):
            whole = part.removeprefix(UNSURE).strip() in classes
            tags += [part] if whole else part.split(',')
    return [tag.strip() for tag in tags if tag.strip()]


def _read_rows(path: Path, text: str) -> list[Row]:
    """The rows that are not blank, with stripped cells."""
    if text.lstrip()[:1] in ('{', '['):
        raise UserError(f'{path} looks like JSON: give it the suffix .json or .jsonl.')
    for number, line in enumerate(text.split('\n'), start=1):
        if line.count('"') % 2:
            raise UserError(
                f'{path} has a quotation mark that is not closed in line {number}: close it there.'
            )
        if '\0' in line:
            raise UserError(f'{path} has a zero byte in line {number}: save the file as UTF-8.')
    chosen = re.match('sep=([,;\t])\n', text)
    first = re.sub('"[^"]*"', '', text.partition('\n')[0])
    # The first separator separates columns; others separate tags within a column.
    separators = [chosen[1]] if chosen else [mark for mark in ',;\t' if mark in first]
    delimiter = min(separators, key=first.find) if separators else ','
    reader = csv.reader(io.StringIO(text), delimiter=delimiter, skipinitialspace=True, strict=True)
    rows = []
    try:
        for cells in reader:
            rows.append(Row(reader.line_num, [cell.strip() for cell in cells]))
    except csv.Error as error:
        raise UserError(
            f'{path} has a cell in line {reader.line_num} that is no CSV ({error}): put quotation '
            'marks around the whole cell or none.'
        ) from None
    return [row for row in rows[1 if chosen else 0 :] if any(row.cells)]


def _has_header(path: Path, rows: Sequence[Row]) -> bool:
    """Whether the first row has the names of columns."""
    first, keys = rows[0].cells, [column_kind(cell) for cell in rows[0].cells]
    if is_image_name(first[0]):
        return False
    if keys[0] in ('image', 'id') or (keys[0] != '' and {'image', 'id'} & set(keys)):
        return True
    others = rows[1:]
    if not others or not all(is_image_name(row.cells[0]) for row in others):
        return False
    if all(simplify_flag(cell) in FLAG_VALUES for row in others for cell in row.cells[1:]):
        return True
    raise UserError(
        f'{path} begins with {first[0]!r}, which is no name of a photo as in the other lines: '
        'write the column names as `photo,tags`, or fix the first line.'
    )


def _require_width(path: Path, header: Row, columns: Columns, rows: Sequence[Row]) -> None:
    """Require as many values as columns; tags at the end of a row need no names of their own."""
    width = len(header.cells)
    least = max([columns.image, *columns.flags]) + 1
    for row in rows:
        more = any(row.cells[width:]) and width - 1 not in columns.tags
        if more or len(row.cells) < least:
            raise UserError(
                f'{path} has {len(row.cells)} values in line {row.number}, but {width} columns: '
                'fix the line.'
            )


def _read_flags(
    path: Path, names: Sequence[str], columns: Columns, rows: Sequence[Row]
) -> list[Entry]:
    """Read a table with a column per class."""
    found = {simplify_flag(row.get(column)) for row in rows for column in columns.flags} - {UNSURE}
    meanings = [flags for flags in FLAGS if found <= set(flags)]
    if not meanings:
        raise UserError(
            f'{path} marks classes by {", ".join(map(repr, sorted(found)))}, which has no single '
            'meaning: write 1 for present, 0 for absent and ? for unknown.'
        )
    present = {value for value, flag in meanings[0].items() if flag}
    entries = []
    for row in rows:
        marks = zip(names, (simplify_flag(row.get(column)) for column in columns.flags))
        tags = [
            UNSURE + name if mark == UNSURE else name
            for name, mark in marks
            if mark == UNSURE or mark in present
        ]
        entries.append(Entry(row.get(columns.image), tags, f'line {row.number}'))
    return entries


def _read_tags(
    path: Path, header: Row, columns: Columns, rows: Sequence[Row], classes: Sequence[str]
) -> list[Entry]:
    """Read a table with columns of tags, of which one image may have several rows."""
    width, entries, absent = len(header.cells), [], set()
    for row in rows:
        cells = [row.get(column) for column in columns.tags]
        # Tags in separate columns need no names of their own.
        if width - 1 in columns.tags:
            cells += row.cells[width:]
        entry = Entry(row.get(columns.image), split_tags(cells, classes), f'line {row.number}')
        if columns.confidence is not None and not _is_sure(path, row, columns.confidence):
            absent |= {(entry.image, tag) for tag in entry.tags}
            entry = entry._replace(tags=[])
        entries.append(entry)
    for entry in entries:
        for tag in entry.tags:
            if (entry.image, tag) in absent:
                raise UserError(
                    f'{path} says with confidence 0 and in {entry.place} with another one that '
                    f'{entry.image} shows {tag}: keep one of the two.'
                )
    heading = header.cells[columns.tags[0]]
    single = columns.confidence is not None or column_kind(heading) == 'tag'
    if single and len(columns.tags) == 1 and all(len(entry.tags) < 2 for entry in entries):
        return _merge(entries)
    return entries


def _is_sure(path: Path, row: Row, column: int) -> bool:
    """Whether the confidence of a tag says that it is present, rather than absent."""
    try:
        value = float(row.get(column))
    except ValueError:
        value = -1.0
    if value == 0:
        return False
    if MIN_CONFIDENCE <= value <= 1:
        return True
    raise UserError(
        f'{path} has the confidence {row.get(column)!r} in line {row.number}: tags count from '
        f'{MIN_CONFIDENCE} to 1, and as absent with 0; remove the line, or remove the column and '
        'write such tags as `?dog`.'
    )


def _merge(entries: Sequence[Entry]) -> list[Entry]:
    """Join the rows of each image."""
    merged: dict[str, Entry] = {}
    for entry in entries:
        merged.setdefault(entry.image, entry._replace(tags=[])).tags.extend(entry.tags)
    return list(merged.values())
