"""Columns of CSV tag files: what each means, by its name and its values."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mmlabelpenet.utils import UserError

from .tag_names import IF_CLASS, is_unlabeled

# The mark of an unsure tag: the class is neither present nor absent.
UNSURE = '?'
ID_NAMES = ('imageid', 'imgid', 'photoid', 'pictureid', 'fileid', 'id', 'name')
# Names of columns by their meaning, in lower case, of letters and digits only. A column of a
# ``tag`` may have several rows per image.
COLUMN_NAMES = {
    'image': """photo photos image images img imgs picture file files filename filenames filepath
        path imagename imagefile imagefilename imagepath imgname imgfile imgpath photoname
        photofile photopath picturename relativepath""",
    'id': ' '.join(ID_NAMES),
    'tag': """label tag class category object labelname tagname classname categoryname objectname
        objectclass classlabel displayname species target keyword choice""",
    'tags': """labels tags classes categories objects labelnames tagnames classnames targets
        keywords choices""",
    'confidence': 'confidence score probability prob conf',
    # Columns by whose values a line, or a tag, may not count.
    'split': """split subset set fold partition phase usage istrain isvalid isval istest valid val
        validation test training isvalidation verified isverified reviewed isreviewed approved
        isapproved labeled labelled islabeled islabelled annotated isannotated ignore ignored
        isignored exclude excluded isexcluded include included isincluded keep deleted isdeleted
        checked ischecked done isdone flagged isflagged selected isselected accepted isaccepted
        rejected isrejected correct iscorrect duplicate isduplicate wascancelled""",
    'number': 'total sum count num numlabels numtags numobjects nlabels ntags nobjects',
    'ignored': """x y w h xmin ymin xmax ymax xc yc xcenter ycenter left top right bottom width
        height bbox box boxes bboxes area size imagewidth imageheight imgwidth imgheight depth
        channels date datetime time timestamp created createdat updated updatedat modified year
        author photographer user annotator source license licence url originalurl md5 hash sha256
        caption description title text comment comments note notes location latitude longitude lat
        lon gps camera occluded truncated difficult isoccluded istruncated isgroupof isdepiction
        isinside rotation orientation index unnamed row labelid classid categoryid tagid objectid
        annotationid leadtime agreement project projectid taskid task""",
}
KINDS = {name: kind for kind, names in COLUMN_NAMES.items() for name in names.split()}
# Sets of values by which a table may say present or absent; blanks only beside one mark.
FLAGS = (
    {'1': True, '0': False},
    {'1': True, '-1': False},
    {'true': True, 'false': False},
    {'yes': True, 'no': False},
    {'y': True, 'n': False},
    *({mark: True, '': False} for mark in ('1', 'x', 'yes', 'y', 'true', '✓', '✔')),
)
NUMBER = re.compile(r'\d+(\.0+)?')
ABSENT = {value for flags in FLAGS for value, flag in flags.items() if not flag}
FLAG_VALUES = frozenset(value for flags in FLAGS for value in flags) | {UNSURE}


@dataclass
class Row:
    """A line of a table: its number in the file, and its cells."""

    number: int
    cells: list[str]

    def get(self, column: int) -> str:
        """Get a cell; those that a short line lacks are empty."""
        return self.cells[column] if column < len(self.cells) else ''


@dataclass
class Columns:
    """Columns by their meaning: ``tags`` hold names, ``flags`` say 0 or 1."""

    image: int
    tags: list[int] = field(default_factory=list)
    flags: list[int] = field(default_factory=list)
    ignored: list[int] = field(default_factory=list)
    confidence: int | None = None


def heading_key(name: str) -> str:
    """Simplify the name of a column: lower case, letters and digits only."""
    return ''.join(filter(str.isalnum, name.casefold()))


def column_kind(heading: str) -> str:
    """The meaning of a column or key by its name; '' if unknown."""
    key = heading_key(heading)
    unknown = '' if heading else 'unnamed'
    return KINDS.get(key) or KINDS.get(key.rstrip('0123456789')) or unknown


def assign_columns(
    path: Path, header: Row, rows: Sequence[Row], classes: Sequence[str] = ()
) -> Columns:
    """Find the meaning of every column by its name and its values.

    Args:
        path: The file, for messages.
        header: The names of the columns.
        rows: The other lines, at least one.
        classes: Names that the file lists as classes.

    Raises:
        UserError: If a column has no clear meaning.
    """
    kinds = [column_kind(cell) for cell in header.cells]
    columns = Columns(_image_column(path, header, kinds))
    unknown = []
    values = [
        {simplify_flag(cell) for cell in {row.get(column) for row in rows}}
        for column in range(len(kinds))
    ]
    for column, kind in enumerate(kinds):
        name = header.cells[column]
        if column == columns.image:
            continue
        if name in classes:
            kind = ''
        if _may_exclude(kind, values[column]):
            raise UserError(
                f'{path} has the column {name!r}, by which some lines may not count for training: '
                'write those that count into a tag file of their own and remove the column, or '
                f'{IF_CLASS}.'
            )
        if kind == 'unnamed':
            kind = _kind_of_unnamed(values[column], bool(columns.tags))
        if kind in ('tag', 'tags'):
            columns.tags.append(column)
        elif kind == 'confidence':
            columns.confidence = column
        elif kind in ('ignored', 'id', 'split', 'number') and heading_key(name) != 'name':
            columns.ignored.append(column)
        else:
            unknown.append(column)
    texts = [column for column in unknown if not values[column] <= FLAG_VALUES]
    columns.flags = [
        column
        for column in unknown
        # Roboflow writes such a column; without a photo in it, it says nothing.
        if column not in texts
        and not (is_unlabeled(header.cells[column]) and values[column] <= ABSENT)
    ]
    if columns.tags or texts:
        columns.flags = [column for column in columns.flags if values[column] != {''}]
    if len(texts) == 1 and not columns.tags and not columns.flags:
        columns.tags, texts = texts, []
    _prefer_names(path, header, columns, rows)
    _require_meaning(path, header, columns, texts, rows)
    return columns


def _may_exclude(kind: str, values: set[str]) -> bool:
    """Whether a column of this kind says that some lines or tags do not count."""
    if kind == 'number':
        return not all(value.isdigit() and int(value) > 0 for value in values)
    return kind == 'split' and len(values) > 1


def _prefer_names(path: Path, header: Row, columns: Columns, rows: Sequence[Row]) -> None:
    """Of two columns with numbers and names of the same classes, use the names."""
    pairs = {tuple(row.get(column) for column in columns.tags) for row in rows}
    found = [set(values) for values in zip(*pairs)]
    numbers = [i for i, values in enumerate(found) if all(map(NUMBER.fullmatch, values))]
    if len(found) != 2 or len(numbers) != 1:
        return
    if not len(found[0]) == len(found[1]) == len(pairs):
        first, second = (header.cells[column] for column in columns.tags)
        raise UserError(
            f'{path} has the columns {first!r} and {second!r}, of which one has several values '
            'for the same value of the other: fix them, or remove the column of numbers.'
        )
    del columns.tags[numbers[0]]


def _image_column(path: Path, header: Row, kinds: Sequence[str]) -> int:
    """The column of image names; a file's name goes before a number, an image's before others."""
    found = [column for column, kind in enumerate(kinds) if kind == 'image']
    keys = [heading_key(cell) for cell in header.cells]
    for key in ID_NAMES:
        found = found or [column for column, one in enumerate(keys) if one == key]
    if len(found) > 1:
        names = ' and '.join(repr(header.cells[column]) for column in found)
        raise UserError(f'{path} has the columns {names}, which both name photos: keep one.')
    return found[0] if found else 0


def _kind_of_unnamed(values: set[str], after_tags: bool) -> str:
    """A column without a name numbers the rows, is empty, or goes on with tags."""
    if all(value == '' or value.isdigit() for value in values):
        return 'ignored'
    return 'tags' if after_tags else ''


def _numbers_rows(heading: str, values: Sequence[str]) -> bool:
    """Whether a column without a meaning of its own counts the rows."""
    if heading_key(heading).rstrip('0123456789') not in ('', 'unnamed', 'index', 'row', 'id'):
        return False
    return list(values) in [list(map(str, range(i, i + len(values)))) for i in (0, 1)]


def _require_meaning(
    path: Path,
    header: Row,
    columns: Columns,
    texts: Sequence[int],
    rows: Sequence[Row],
) -> None:
    """Refuse columns that have no clear meaning."""
    if texts:
        found = (row.get(texts[0]) for row in rows)
        wrong = next(value for value in found if simplify_flag(value) not in FLAG_VALUES)
        raise UserError(
            f'{path} has the column {header.cells[texts[0]]!r} with the value {wrong!r}: remove '
            'it, name it `tags` if it holds tags, or write 0 and 1 if it is a class.'
        )
    doubtful = [
        column
        for column in columns.ignored
        if all(simplify_flag(row.get(column)) in FLAG_VALUES - {''} for row in rows)
        and not (
            # as pandas writes it
            (header.cells[column] or column < min(columns.flags, default=column))
            and _numbers_rows(header.cells[column], [row.get(column) for row in rows])
        )
    ]
    doubtful += columns.tags if columns.confidence is None else [columns.confidence]
    if columns.flags and doubtful:
        name = header.cells[doubtful[0]]
        raise UserError(
            f'{path} has the column {repr(name) if name else doubtful[0] + 1} beside the column '
            f'{header.cells[columns.flags[0]]!r} of 0 and 1, so that its meaning is unclear: '
            f'remove one of them, or {IF_CLASS}.'
        )
    if not columns.flags and not columns.tags:
        raise UserError(
            f'{path} has no column of tags: name it `tags`, or give each class a column of 0 and '
            '1.'
        )
    names = [header.cells[column] for column in columns.flags]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise UserError(f'{path} has two columns {repeated[0]!r}: keep one.')


def simplify_flag(cell: str) -> str:
    """Write 1.0 as 1, and words in lower case."""
    return re.sub(r'^(-?[01])\.0+$', r'\1', cell.casefold())


def read_marks(path: Path, names: Sequence[str], rows: Sequence[Sequence[str]]) -> list[list[str]]:
    """Read which classes are marked as present.

    Args:
        path: The file, for messages.
        names: Of the classes.
        rows: For each image, the mark of every class, see :func:`simplify_flag`.

    Returns:
        The tags of each image, unsure ones with the prefix ``?``.

    Raises:
        UserError: If the marks have no single meaning.
    """
    found = set().union(*rows) - {UNSURE}
    meanings = [flags for flags in FLAGS if found <= set(flags)]
    if not meanings:
        raise UserError(
            f'{path} marks classes by {", ".join(map(repr, sorted(found)))}, which has no single '
            'meaning: write 1 for present, 0 for absent and ? for unknown.'
        )
    texts = {value: '' for value, flag in meanings[0].items() if flag} | {UNSURE: UNSURE}
    return [
        [texts[mark] + name for name, mark in zip(names, marks) if mark in texts] for marks in rows
    ]
