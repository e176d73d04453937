"""Reading COCO's JSON files: what has one meaning is understood, the rest is refused."""

import os.path as osp
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from mmlabelpenet.utils import UserError, explain_read_errors, load_json

from .coco_doubts import (
    CORNERS,
    LOOSE,
    SAME_ID,
    doubtful_objects,
    doubts_of_entries,
    may_be_corners,
)
from .coco_objects import Geometry, read_geometry, understand_modes

Id = int | str
REMEDY = 'fix it, or set data_root and ann_file in the config'
# Proposals of larger photos cannot be stored.
MAX_SIDE = 32767
NUMBER = 'give it a number of its own'
CROWD_PROBLEM = (
    'has an iscrowd or ignore that is neither 0 nor 1: write 1 for a group of objects, or one '
    'that does not count, 0 for the others'
)
CROWD = {0: False, 1: True, '0': False, '1': True, None: False}
UNPRINTABLE = re.compile('[\\x00-\\x1f\\x7f-\\x9f\\ud800-\\udfff]')
# Keys of annotations in COCO's other files.
OTHER_FILES = {'caption': 'captions', 'segments_info': 'panoptic segments'}


class COCOObject(NamedTuple):
    """An annotated object.

    Attributes:
        category: Name of its class.
        crowd: Whether it is a group of objects, or marked to be ignored.
        geometry: Its box and mask, empty if they were not read.
    """

    category: str
    crowd: bool
    geometry: Geometry = Geometry()


@dataclass(slots=True)
class COCOImage:
    """An image with its objects.

    Attributes:
        img_id: As in the file.
        name: The file name.
        size: (height, width).
        objects: In the order of the file.
    """

    img_id: Any
    name: str
    size: tuple[int, int]
    objects: list[COCOObject] = field(default_factory=list)


def as_id(value: Any) -> Id | None:
    """Get the meaning of an id: whole numbers may be written as text or with a point.

    Args:
        value: From a JSON file.

    Returns:
        A whole number, or a text that is none; None if it is neither.
    """
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, str) and value.strip():
        text = value.strip()
        return int(text) if re.fullmatch(r'-?\d{1,18}', text, re.ASCII) else text
    return value if type(value) is int else None


class COCOFile:
    """The content of a COCO JSON file, checked while it is read.

    Ids may be texts of digits and ``iscrowd`` a text; names lose blanks around them.

    Args:
        path: The file, in any Unicode encoding with or without a byte order mark.

    Attributes:
        categories: Names of the classes by their ids, in the order of the ids.
        listed: Their names in the order of the file's list.

    Raises:
        UserError: If it is no such file, or its classes are not clear.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = path
        with explain_read_errors(path, 'a COCO JSON file', REMEDY):
            # From bytes it finds out the encoding, and skips a byte order mark.
            self._content = load_json(path, Path(path).read_bytes())
        if not isinstance(self._content, dict):
            kind = type(self._content).__name__
            raise self._error(f'holds a {kind} instead of images, annotations and categories')
        found = self._read_categories()
        self.listed = [*found.values()]
        order = sorted(found, key=lambda key: (isinstance(key, str), key))
        self.categories = {key: found[key] for key in order}

    def _error(self, problem: str, remedy: str = REMEDY) -> UserError:
        return UserError(f'{self.path} {problem}: {remedy}.')

    def _entries(self, key: str) -> list[dict]:
        entries = self._content.get(key)
        if not isinstance(entries, list) or not set(map(type, entries)) <= {dict}:
            remedy = 'take a file of instances, with images, annotations and categories'
            raise self._error(f'has no list of {key}', remedy)
        return entries

    def _read_categories(self) -> dict[Id, str]:
        found: dict[Id, str] = {}
        for number, one in enumerate(self._entries('categories'), start=1):
            key, name = as_id(one.get('id')), one.get('name')
            if key is None:
                raise self._error(f'has no valid id of category number {number}', NUMBER)
            if not isinstance(name, str) or not name.strip():
                raise self._error(f'has no name of the category {key}', 'write it as a text')
            name = name.strip()
            if UNPRINTABLE.search(name):
                raise self._error(
                    f'has the category {name!a}', 'write its name in one line of text'
                )
            if key in found:
                both = f'{found[key]!r} and {name!r}'
                raise self._error(
                    f'has two categories of the id {key} ({both})', 'give each its own id'
                )
            if name in found.values():
                other = next(other for other in found if found[other] == name)
                raise self._error(
                    f'has two categories of the name {name!r} (ids {other} and {key})',
                    'keep one, and use its id in all annotations',
                )
            found[key] = name
        if not found:
            raise self._error('has no category', 'list the classes there')
        return found

    def images(
        self, report: Callable[[str], None], skipped: Callable[[str], bool], root: str
    ) -> dict[Id, COCOImage]:
        """Read the list of images.

        Args:
            report: Gets a sentence on each image that is left out, or raises it.
            skipped: Whether to skip an image, by its file name.
            root: Folder of the images.

        Returns:
            The images by their ids, in the order of the file; skipped ones too, because there
            may be annotations of them.

        Raises:
            UserError: If there is no list of images.
        """
        found: dict[Id, COCOImage] = {}
        ids: dict[str, Id] = {}
        entries = self._entries('images')
        if not entries:
            raise self._error('lists no photo', 'list them under images')
        for number, one in enumerate(entries, start=1):
            key: Any = as_id(one.get('id'))
            name: Any = _with_slashes(one.get('file_name'), root)
            size = _size(one)
            problem = _image_problem(number, key, name, size)
            if not problem and key in found:
                problem = (
                    f'lists two photos of the id {key} ({found[key].name} and {name}): give each '
                    'its own id'
                )
            if not problem and not skipped(name):
                problem = _name_problem(name, key, ids, found)
            if problem:
                report(f'{self.path} {problem}.')
            else:
                img_id = key if isinstance(one['id'], float) else one['id']
                found[key] = COCOImage(img_id, name, size)  # type: ignore[arg-type]
        return found

    def annotate(
        self,
        images: Mapping[Id, COCOImage],
        report: Callable[[str], None],
        suspect: Callable[[str, str], None],
        geometry: bool,
    ) -> None:
        """Read the annotations.

        Args:
            images: Of :meth:`images`; they get their objects.
            report: Gets a sentence on each annotation that is left out, or raises it.
            suspect: Gets a kind of what may be meant, and an example.
            geometry: Whether to read boxes and masks.

        Raises:
            UserError: If there is no annotation, or they are of another kind than instances.
        """
        if not self._content.get('annotations'):
            remedy = "add them, or set supervision='none' for test photos"
            raise self._error('has no annotations', remedy)
        entries = self._entries('annotations')
        other = OTHER_FILES.keys() & entries[0].keys()
        if other and 'category_id' not in entries[0]:
            remedy = 'take a file of instances, such as instances_train2017.json'
            raise self._error(f'holds {OTHER_FILES[other.pop()]}', remedy)
        keys, categories = _ids(entries, 'image_id'), _ids(entries, 'category_id')
        self._report_unlisted(keys, images, report)
        crowds = _crowds(entries)
        problems = {
            index: text
            for index, text in enumerate(map(self._label_problem, keys, categories, crowds))
            if text
        }
        usable = [i for i, key in enumerate(keys) if key in images and i not in problems]
        shapes = [Geometry()] * len(usable)
        if geometry:
            sizes = [images[keys[i]].size for i in usable]
            chosen = [entries[i] for i in usable]
            wrong_modes = understand_modes(chosen)
            shapes, bad, loose = read_geometry(chosen, sizes, [bool(crowds[i]) for i in usable])
            if isinstance(loose, tuple):
                raise self._error(*loose)
            for place in loose:
                suspect(LOOSE, self._place(entries, usable[place]))
            problems |= {usable[place]: text for place, text in (bad | wrong_modes).items()}
        for index in sorted(problems):
            report(f'{self.path}: {_named(entries[index], index)} {problems[index]}.')
        for same_id, number in Counter(_ids(entries, 'id')).items():
            if number > 1 and same_id is not None:
                suspect(SAME_ID, f'{same_id} in {self.path}')
        if geometry and may_be_corners([entries[i] for i in usable], shapes):
            suspect(CORNERS, self._place(entries, usable[0]))
        for kind, example in doubts_of_entries(entries, self._entries('images'), self.listed):
            suspect(kind, f'{example} of {self.path}')
        for index, shape in zip(usable, shapes):
            if index not in problems:
                name = self.categories[categories[index]]
                images[keys[index]].objects.append(COCOObject(name, bool(crowds[index]), shape))
        if geometry:
            used = {index: shape for index, shape in zip(usable, shapes) if index not in problems}
            for kind, places in doubtful_objects(list(zip(keys, categories)), used):
                suspect(kind, self._place(entries, *places))

    def _place(self, entries: Sequence[dict], *places: int) -> str:
        return f'{" and ".join(_named(entries[i], i) for i in places)} of {self.path}'

    def _report_unlisted(
        self, keys: Sequence[Id | None], images: Mapping, report: Callable[[str], None]
    ) -> None:
        unlisted = Counter(key for key in keys if key not in images and key is not None)
        if unlisted:
            report(
                f'{self.path} annotates the photo {next(iter(unlisted))} ({len(unlisted)} in '
                'all), which its list of images lacks: fix the file.'
            )

    def _label_problem(self, key: Id | None, category: Id | None, crowd: bool | None) -> str:
        """Find out what is wrong with the ids of an annotation."""
        if key is None:
            return 'has no image_id, or none that is a number or text: add the id of its photo'
        if category is None:
            return 'has no category_id, or none that is a number or text: add it'
        if category not in self.categories:
            known = ', '.join(f'{key} {name}' for key, name in [*self.categories.items()][:5])
            return (
                f'has the category_id {category}, which the list of categories lacks: fix it, or '
                f'add it to {known}'
            )
        return CROWD_PROBLEM if crowd is None else ''

    def forget(self) -> None:
        """Drop the parsed content, which is as large as the file."""
        self._content = {}


def _named(annotation: dict, index: int) -> str:
    key = annotation.get('id')
    return f'annotation number {index + 1}' if as_id(key) is None else f'annotation {key}'


def _ids(entries: Sequence[dict], key: str) -> list[Any]:
    values = [one.get(key) for one in entries]
    return values if set(map(type, values)) == {int} else [as_id(one) for one in values]


def _crowds(entries: Sequence[dict]) -> list[bool | None]:
    """Whether each is a crowd or to be ignored, as mmdet's converters mark difficult objects."""
    pairs = ((one.get('iscrowd', 0), one.get('ignore', 0)) for one in entries)
    known = (
        [CROWD.get(str(one) if isinstance(one, list | dict) else one) for one in pair]
        for pair in pairs
    )
    return [None if None in pair else any(pair) for pair in known]


def _with_slashes(name: Any, root: str) -> Any:
    """Understand the slashes of Windows, unless there is a file of that very name."""
    if not isinstance(name, str) or '\\' not in name or osp.exists(osp.join(root, name)):
        return name
    return name.replace('\\', '/')


def _size(image: dict) -> tuple[int, int] | None:
    """(height, width) of an image; None if they are no sizes that a photo can have."""
    height, width = (as_id(image.get(side)) for side in ('height', 'width'))
    if not isinstance(height, int) or not isinstance(width, int):
        return None
    return (height, width) if 0 < min(height, width) <= max(height, width) <= MAX_SIDE else None


def _image_problem(number: int, key: Id | None, name: Any, size: tuple[int, int] | None) -> str:
    if key is None:
        return f'has no valid id of photo number {number} ({name}): {NUMBER}'
    if not isinstance(name, str) or not name.strip():
        return f'has no file_name of the photo {key}: write it as a text'
    if size is None:
        return f'has no valid height and width of the photo {name}: write pixels, up to {MAX_SIDE}'
    return ''


def _name_problem(name: str, key: Any, ids: dict[str, Any], found: Mapping[Id, COCOImage]) -> str:
    """Find an image that would share its results and proposals with an earlier one."""
    stem = osp.splitext(osp.normpath(name))[0]
    other = ids.setdefault(stem, key)
    if other == key:
        return ''
    if osp.normpath(found[other].name) == osp.normpath(name):
        return (
            f'lists the photo {name} under two ids ({other} and {key}): keep one, and use it in '
            'all annotations'
        )
    return (
        f'lists {found[other].name} and {name}, which differ only in their suffix: rename one, '
        'because results and proposals are stored without it'
    )
