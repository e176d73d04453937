"""Reading CSV tag files."""

import ast
import csv
import io
import json
import re
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from mmlabelpenet.utils import UserError, strip_name

from .tag_columns import (
    FLAG_VALUES,
    UNSURE,
    Columns,
    Row,
    assign_columns,
    column_kind,
    heading_key,
    read_marks,
    simplify_flag,
)
from .tag_names import CLASS_LINE, check_class, is_image_name

# Keys of the labels in exports of Label Studio.
LABEL_KEYS = (
    *('choices', 'labels', 'rectanglelabels', 'polygonlabels', 'brushlabels', 'ellipselabels'),
    'keypointlabels',
)
# A list of names as Python, JSON or numpy writes it; numpy separates them by blanks.
QUOTED = r'"(?:[^"\\]|\\.)*"|\'(?:[^\'\\]|\\.)*\''
QUOTED_LIST = re.compile(rf'\[\s*(?:(?:{QUOTED})(?:\s*,\s*|\s+|(?=\])))*\]')
# A tag below this confidence is neither present nor, as with 0, absent.
MIN_CONFIDENCE = 0.5


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


class Content(NamedTuple):
    """What a tag file says.

    Attributes:
        listed: Classes in the order of the file's list of them, if it has one.
        columns: Classes that have a column, or a mark, of their own.
        entries: One per image, or several of an image that occurs more than once.
    """

    listed: list[str]
    columns: list[str]
    entries: list[Entry]


def parse_table(path: Path, text: str) -> Content:
    """Read the content of a CSV tag file.

    Args:
        path: The file, for messages.
        text: Its content.

    Returns:
        Its classes and entries.

    Raises:
        UserError: If a quotation mark is not closed, or a column has no clear meaning.
    """
    rows = _read_rows(path, text)
    classes: list[str] = []
    if rows and rows[0].cells[0].casefold() == CLASS_LINE:
        names = re.split('[;|]', ';'.join(rows.pop(0).cells[1:]))
        classes = [name.strip() for name in names if name.strip()]
    _refuse_other_lines(path, rows)
    if not rows or not _has_header(path, rows):
        entries = [
            Entry(row.cells[0], split_tags(row.cells[1:], classes), f'line {row.number}')
            for row in rows
        ]
        return Content(classes, [], entries)
    header = rows.pop(0)
    if not rows:
        return Content(classes, [], [])
    columns = assign_columns(path, header, rows, classes)
    _require_width(path, header, columns, rows)
    if columns.flags:
        names = [header.cells[column] for column in columns.flags]
        for name in set(names) - set(classes):
            check_class(path, name, f'line {header.number}')
        return Content(classes, names, _read_flags(path, names, columns, rows))
    return Content(classes, [], _read_tags(path, header, columns, rows, classes))


def _refuse_other_lines(path: Path, rows: Sequence[Row]) -> None:
    """Refuse lines that are neither column names nor tags of an image."""
    for row in rows:
        first = row.cells[0].casefold()
        if first == CLASS_LINE:
            raise UserError(
                f'{path} has {CLASS_LINE} in line {row.number}: write it once, in the first line.'
            )
        if re.match(r'# |#(?!.*\.\w+$)', first):
            raise UserError(
                f'{path} has the comment {row.cells[0]!r} in line {row.number}: remove it; only '
                f'`{CLASS_LINE},...` may begin with #.'
            )
        if row is not rows[0] and row.cells == rows[0].cells and _names_columns(row.cells):
            raise UserError(
                f'{path} repeats the names of its columns in line {row.number}: remove that line.'
            )


def _names_columns(cells: Sequence[str]) -> bool:
    """Whether cells name a column of images and others."""
    keys = [column_kind(cell) for cell in cells]
    return not is_image_name(cells[0]) and (
        keys[0] in ('image', 'id') or (keys[0] != '' and bool({'image', 'id'} & set(keys)))
    )


def split_tags(cells: Iterable[str], classes: Sequence[str] = ()) -> list[str]:
    """Split cells into tags at ``;``, ``|`` and ``,``; lists of Python and numpy are known.

    Args:
        cells: The cells.
        classes: Names that are never split.
    """
    tags: list[str] = []
    for cell in cells:
        if cell.removeprefix(UNSURE).strip() in classes:
            tags.append(cell)
            continue
        # As pandas writes an empty cell.
        if cell.casefold() in ('nan', '<na>'):
            continue
        if QUOTED_LIST.fullmatch(cell):
            tags += map(ast.literal_eval, re.findall(QUOTED, cell))
            continue
        if re.fullmatch(r'\[?\s*\{.*\}\s*\]?', cell, re.DOTALL):
            tags += labels_of_json(cell)
            continue
        for part in re.split('[;|]', cell):
            whole = part.removeprefix(UNSURE).strip() in classes
            tags += [part] if whole else part.split(',')
    return [tag.strip() for tag in tags if tag.strip()]


def labels_of(value: Any) -> list[str]:
    """The names of classes in a part of an export of Label Studio."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        value = [value[key] for key in LABEL_KEYS if key in value]
    return [name for one in value for name in labels_of(one)]


def labels_of_json(cell: str) -> list[str]:
    """The names of classes in a cell of JSON; the cell itself if it has none."""
    with suppress(ValueError, TypeError):
        return labels_of(json.loads(cell)) or [cell]
    return [cell]


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
    csv.field_size_limit(max(csv.field_size_limit(), len(text)))
    rows = []
    try:
        for cells in reader:
            rows.append(Row(reader.line_num, list(map(strip_name, cells))))
    except csv.Error as error:
        raise UserError(
            f'{path} has a cell in line {reader.line_num} that is no CSV ({error}): put quotation '
            'marks around the whole cell or none.'
        ) from None
    return [row for row in rows[1 if chosen else 0 :] if any(row.cells)]


def _has_header(path: Path, rows: Sequence[Row]) -> bool:
    """Whether the first row has the names of columns."""
    first = rows[0].cells
    if is_image_name(first[0]):
        return False
    if _names_columns(first):
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
    marks = [[simplify_flag(row.get(column)) for column in columns.flags] for row in rows]
    return [
        Entry(row.get(columns.image), tags, f'line {row.number}')
        for row, tags in zip(rows, read_marks(path, names, marks))
    ]


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
    # Label Studio writes a row for each annotator, who may agree with the others.
    if heading_key(heading).startswith('choice'):
        return list({(one.image, *sorted(one.tags)): one for one in entries}.values())
    single = columns.confidence is not None or column_kind(heading) == 'tag'
    if single and len(columns.tags) == 1 and all(len(entry.tags) < 2 for entry in entries):
        return merge_entries(entries)
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


def merge_entries(entries: Sequence[Entry]) -> list[Entry]:
    """Join the entries of each image."""
    merged: dict[str, Entry] = {}
    for entry in entries:
        merged.setdefault(entry.image, entry._replace(tags=[])).tags.extend(entry.tags)
    return list(merged.values())
