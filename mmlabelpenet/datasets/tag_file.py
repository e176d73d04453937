"""Reading tag files: CSV or JSON."""

import filecmp
import os
import os.path as osp
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from mmlabelpenet.utils import UserError, explain_read_errors, read_file
from mmlabelpenet.utils.errors import other_file

from .tag_columns import UNSURE, heading_key
from .tag_json import parse_json
from .tag_names import (
    check_class,
    check_joined,
    check_letters,
    check_tag,
    find_doubts,
    is_image_name,
    tidy_name,
)
from .tag_table import Content, Entry, parse_table

CSV_REMEDY = 'write one line per photo, such as `photo.jpg,dog;person`'
JSON_REMEDY = 'write {"photo.jpg": ["dog", "person"]}'
# Folders that programs make for themselves, and those of splits and of other things than classes.
NO_FOLDER = re.compile(
    r'[.@].*|__\w+__|__MACOSX|lost\+found|\$RECYCLE\.BIN|#(recycle|snapshot)|'
    'System Volume Information',
    re.IGNORECASE,
)
NO_CLASS_FOLDER = re.compile(
    r'(train(ing|val)?|val(id(ation)?)?|test(ing)?|dev(el(opment)?)?|eval(uation)?|holdout'
    r'|(fold|split)\d+)(sets?|data|images?|photos)?\d*|images|jpegimages|thumb(nail)?s'
)


@dataclass(slots=True)
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
        doubts: Sentences about classes that may be meant otherwise.
    """

    classes: tuple[str, ...]
    lines: list[TagLine]
    problems: list[str] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)


def read_tag_file(path: str | Path) -> TagFile:
    """Read a tag file.

    CSV (UTF-8; comma, semicolon or tab): the image, then its tags, in separate columns or
    separated by ``;``, ``|`` or ``,`` in one. A first line ``#classes,dog,cat`` lists the classes.
    The next line may name the columns (``photo,tags``); then the table may also have

    - a column per class with 1 and 0, -1, true and false, yes and no, or a mark and blanks; ``?``
      is unsure;
    - one row per tag (``image,label``): rows of an image are joined. A tag with ``confidence`` 0
      is absent;
    - the column ``choice`` of Label Studio, with a row per annotator;
    - boxes, dates and other columns whose name says that they are no tags.

    JSON: ``{"a.jpg": ["dog"], ...}``, the same under ``photos`` next to a list of ``classes``, or
    objects ``{"photo": "a.jpg", "tags": ["dog"]}`` in a list or one per line, pairs ``["a.jpg",
    ["dog"]]``, marks ``{"a.jpg": {"dog": 1, "cat": 0}}``, or an export of Label Studio. A tag such
    as ``?dog`` is unsure: there may be a dog. Tags that look the same are the same tag.

    Args:
        path: The file, ``.csv``, ``.tsv``, ``.txt``, ``.json`` or ``.jsonl``.

    Returns:
        Its content; of an image that is listed twice the first entry, and a problem.

    Raises:
        UserError: If the file is missing, is neither CSV nor JSON, contains no tag, or a part of
            it has no clear meaning.
    """
    path = Path(path)
    with explain_read_errors(path, 'a tag file', 'fix the path, or save it as UTF-8'):
        content = read_file(path)
        # As programs of office packages write it.
        encoding = 'utf-16' if content[:2] in (b'\xff\xfe', b'\xfe\xff') else 'utf-8-sig'
        text = content.decode(encoding).replace('\r\n', '\n').replace('\r', '\n')
    if re.match(r'\s*<(\?xml|annotations?\b)', text):
        raise UserError(
            f'{path} is XML, such as CVAT and VOC write: export the tags as CSV or COCO, or read '
            'folders of VOC by VOCInstanceDataset.'
        )
    if text.lstrip()[:1] == '<':
        raise UserError(
            f'{path} is a page of HTML or XML, as a server sends that asks for a login: get the '
            'file itself.'
        )
    other = other_file(path)
    if other:
        raise UserError(f'{path} cannot be read as a tag file, for it is {other}.')
    is_json = path.suffix.lower() in ('.json', '.jsonl')
    kind, remedy = ('a JSON', JSON_REMEDY) if is_json else ('a CSV', CSV_REMEDY)
    with explain_read_errors(path, f'{kind} tag file', remedy):
        found = (parse_json if is_json else parse_table)(path, text)
    return _collect(path, found)


def read_class_folders(root: str | Path) -> TagFile:
    """Read tags from a folder that has one subfolder of images for each class.

    Args:
        root: The folder. Hidden files and folders, those that programs make for themselves, and
            files that are no images are ignored.

    Returns:
        The classes in alphabetical order, and every image with its class.

    Raises:
        UserError: If an image is not directly in a subfolder, there is none, or the name of one
            is not that of a class.
    """
    found = TagFile((), [])
    for folder, subfolders, files in os.walk(root):
        subfolders[:] = sorted(name for name in subfolders if not NO_FOLDER.fullmatch(name))
        place = osp.relpath(folder, root)
        images = [name for name in sorted(files) if name[0] != '.' and is_image_name(name)]
        if folder == str(root):
            found.classes = _check_folders(root, subfolders)
        if images and (place == osp.curdir or osp.dirname(place)):
            raise UserError(
                f'{osp.join(folder, images[0])} is not in a folder of its class within {root}: '
                'move it, or write a tag file and set tag_file.'
            )
        found.lines += [TagLine(osp.join(place, name), [tidy_name(place)], []) for name in images]
    splits = [name for name in found.classes if NO_CLASS_FOLDER.fullmatch(heading_key(name))]
    if splits:
        raise UserError(
            f'{root} has the folder {splits[0]}, which is no class: set data_root to a folder '
            'that has one subfolder for each class, or write a tag file and set tag_file if it '
            'is one.'
        )
    if not found.lines:
        raise UserError(f'{root} has no subfolders of photos: write a tag file and set tag_file.')
    found.doubts = find_doubts(root, found.classes, listed=False, several=True)
    twice = _find_copies(root, [line.image for line in found.lines])
    if twice:
        found.doubts.append(
            f'{root} has {twice[0]} and {twice[1]}, which are the same photo, and either says '
            'that it shows the class of its folder only: write a tag file with both tags, or '
            'remove one.'
        )
    return found


def _find_copies(root: str | Path, images: Sequence[str]) -> tuple[str, str] | None:
    """Find a photo that lies in two folders under one name, among the first thousand names."""
    first: dict[str, str] = {}
    again = [
        (first[osp.basename(one)], one)
        for one in images
        if first.setdefault(osp.basename(one), one) != one
    ]
    for one, other in again[:1000]:
        with suppress(OSError):
            if filecmp.cmp(osp.join(root, one), osp.join(root, other), shallow=False):
                return one, other
    return None


def _check_folders(root: str | Path, folders: Sequence[str]) -> tuple[str, ...]:
    """Require that the name of each folder can be that of a class, and of one only."""
    known: dict[str, str] = {}
    for folder in folders:
        name = tidy_name(folder)
        try:
            # The question mark of unsure tags means nothing here either.
            check_class(root, re.sub(r'^\?', '¿', name), 'its folders')
        except UserError as error:
            raise UserError(
                f'{root} has the folder {folder!a}, which may mean something else than a class: '
                'rename it, or write a tag file and set tag_file.'
            ) from error
        if name in known:
            raise UserError(
                f'{root} has the folders {known[name]!a} and {folder!a}, whose names differ only '
                'in blanks or in letters that look the same: move the photos into one of them.'
            )
        known[name] = folder
    return tuple(known)


def _check_classes(path: Path, classes: Sequence[str]) -> list[str]:
    """Require that a file lists its classes once each, without the mark of unsure tags."""
    names = list(map(tidy_name, classes))
    for name in names:
        check_letters(path, name, 'its list of classes')
        if names.count(name) > 1:
            raise UserError(f'{path} lists the class {name} twice: keep one.')
        if name.startswith(UNSURE):
            raise UserError(f'{path} lists the class {name!r}: remove the question mark.')
    return names


def _collect(path: Path, content: Content) -> TagFile:
    """Make the lines; an entry without an image, or of an image listed before, is a problem."""
    listed, columns = (_check_classes(path, names) for names in (content.listed, content.columns))
    classes = listed or columns
    checked = set(classes)
    lines: dict[str, TagLine] = {}
    problems = []
    for image, names, place in content.entries:
        if not image.isascii():
            check_letters(path, image.replace('\ufffd', ''), place)
        if re.match(r'\w+://(?!.*/data/(upload|local-files)/)', image):
            raise UserError(
                f'{path} names the photo {image} in {place} by its address: download the photos, '
                'and write the names of their files.'
            )
        line = _read_entry(path, Entry(image and osp.normpath(image), names, place), checked)
        both = set(line.tags) & set(line.unsure)
        if not image:
            problems.append(f'{path} names no photo in {place}: {CSV_REMEDY}.')
        elif line.image in lines:
            problems.append(
                f'{path} names the photo {line.image} twice, the second time in {place}: keep '
                'one line of it.'
            )
        else:
            lines[line.image] = line
            if both:
                problems.append(
                    f'{path} has both {min(both)} and {UNSURE}{min(both)} in {place}: keep one of '
                    'them.'
                )
    found = {name for line in lines.values() for name in (*line.tags, *line.unsure)}
    if not found:
        raise UserError(
            f'{path} contains no tag: '
            f'{JSON_REMEDY if path.suffix.lower() in (".json", ".jsonl") else CSV_REMEDY}.'
        )
    unknown = sorted(found - set(classes)) if classes else []
    if unknown:
        problems.append(
            f'{path} has tags {", ".join(unknown)} that its own list of classes lacks: add them '
            'there or fix them.'
        )
    several = any(len(line.tags) + len(line.unsure) > 1 for line in lines.values())
    check_joined(path, found - set(classes), several)
    doubts = find_doubts(path, classes or sorted(found), bool(listed), several or bool(columns))
    return TagFile(tuple(classes or sorted(found)), list(lines.values()), problems, doubts)


def _read_entry(path: Path, entry: Entry, checked: set[str]) -> TagLine:
    """Separate tags from unsure ones, and require that each can be the name of a class.

    ``checked`` has the names that can be, and is extended.
    """
    line = TagLine(entry.image, [], [])
    for tag in entry.tags:
        name = tidy_name(tag.removeprefix(UNSURE))
        if name not in checked:
            if not name or name.startswith(UNSURE):
                raise UserError(
                    f'{path} has the tag {tag!r} in {entry.place}: write `?dog` if there may be a '
                    'dog, and no tag if nothing is known.'
                )
            check_tag(path, tag.removeprefix(UNSURE), entry.place)
            checked.add(name)
        (line.unsure if tag.startswith(UNSURE) else line.tags).append(name)
    return line
