"""Reading JSON tag files."""

import re
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from mmlabelpenet.utils import UserError, explain_read_errors, load_json, strip_name

from .tag_columns import FLAG_VALUES, column_kind, heading_key, read_marks, simplify_flag
from .tag_names import check_class, is_image_name
from .tag_table import LABEL_KEYS, Content, Entry, labels_of, merge_entries

KINDS = {'image', 'tag', 'tags'}
JSON_LINE_REMEDY = 'write {"photo": "photo.jpg", "tags": ["dog", "person"]}'

# Letters of a value within a sentence.
SHOWN = 100


class _Object(NamedTuple):
    """An image, and its tags or marks; whether another object may go on with its tags."""

    image: str
    tags: list[str]
    marks: dict[str, str]
    goes_on: bool


def parse_json(path: Path, text: str) -> Content:
    """Read the content of a JSON tag file.

    Args:
        path: The file, for messages.
        text: Its content.

    Returns:
        Its classes and entries.

    Raises:
        UserError: If a key has no clear meaning.
    """
    content: Any = _load(path, text)
    if isinstance(content, dict) and {'images', 'annotations'} <= set(content):
        raise UserError(f'{path} is a COCO file: read it by COCOInstanceDataset(ann_file=...).')
    classes: Any = []
    if isinstance(content, dict) and 'photos' in content:
        unknown = sorted(set(content) - {'photos', 'classes'})
        if unknown:
            raise UserError(
                f'{path} has the key {unknown[0]!r} beside "photos": name it "classes".'
            )
        classes, content = content.get('classes', []), content['photos']
    if isinstance(content, dict) and {'image'} < {column_kind(key) for key in content} & KINDS:
        content = [content]
    if isinstance(content, dict):
        content = list(map(list, content.items()))
    if not isinstance(content, list):
        raise UserError(f'{path} holds {str(content)[:SHOWN]} alone: {JSON_LINE_REMEDY}.')
    objects = [_read(path, f'entry {i}', one, classes) for i, one in enumerate(content, start=1)]
    columns = list(dict.fromkeys(name for one in objects for name in one.marks))
    for name in set(columns) - set(classes):
        check_class(path, name, 'its keys')
    if columns:
        marks = [[one.marks.get(name, '') for name in columns] for one in objects]
        read = read_marks(path, columns, marks)
        tags = [[*one.tags, *names] for one, names in zip(objects, read)]
    else:
        tags = [one.tags for one in objects]
    entries = [
        Entry(one.image, names, f'entry {i}')
        for i, (one, names) in enumerate(zip(objects, tags), start=1)
    ]
    if entries and all(one.goes_on for one in objects):
        entries = merge_entries(entries)
    # A list of tags may name a class that nothing marks.
    return Content(
        _names(path, 'its "classes"', classes),
        [] if any(one.tags for one in objects) else columns,
        entries,
    )


def _load(path: Path, text: str) -> Any:
    load = partial(load_json, path)
    # Several objects, one per line, may also stand in a `.json` file.
    if path.suffix.lower() != '.jsonl' and not re.match(r'\s*\{.*\}[ \t]*\n\s*\{', text):
        return load(text)
    content: list[Any] = []
    for number, line in enumerate(text.split('\n'), start=1):
        with explain_read_errors(f'Line {number} of {path}', 'JSON', JSON_LINE_REMEDY):
            content += [load(line)] if line.strip() else []
    return content


def _read(path: Path, place: str, content: Any, classes: Sequence[str]) -> _Object:
    """Read a pair of an image and its tags, or an object with both."""
    if isinstance(content, list) and len(content) == 2:
        image, tags = content
        if not isinstance(tags, dict):
            tags = _text_tags(path, place, tags, classes) if isinstance(tags, str) else tags
            return _Object(_names(path, place, [image])[0], _names(path, place, tags), {}, False)
        if not {'tag', 'tags'} & set(map(column_kind, tags)):
            return _Object(_names(path, place, [image])[0], [], _marks(path, place, tags), False)
        content = {'photo': image, **tags}
    if not isinstance(content, dict):
        raise UserError(f'{path} has {str(content)[:60]!r} in {place}: {JSON_LINE_REMEDY}.')
    if 'data' in content and {'annotations', 'completions'} & set(content):
        return _read_task(path, place, content)
    kinds = {column_kind(key): key for key in content}
    image = content[_key_of(path, place, content, 'photo', kinds.get('image') or kinds.get('id'))]
    unknown = {
        key: value
        for key, value in content.items()
        if column_kind(key) in ('', 'confidence', 'split', 'number')
    }
    if unknown and not {'tag', 'tags'} & set(kinds):
        return _Object(_names(path, place, [image])[0], [], _marks(path, place, unknown), False)
    if unknown:
        raise UserError(
            f'{path} has the unknown key {next(iter(unknown))!r} in {place}: remove it, or name '
            'it "tags".'
        )
    key = _key_of(path, place, content, 'tags', kinds.get('tags') or kinds.get('tag'))
    value = content[key]
    parts = value if isinstance(value, list) else [value]
    exported = all(isinstance(one, dict) and set(one) & set(LABEL_KEYS) for one in parts)
    names = labels_of(value) if exported else value
    names = _text_tags(path, place, value, classes) if isinstance(value, str) else names
    goes_on = isinstance(value, str) and 'tag' in kinds and heading_key(key) != 'choice'
    return _Object(_names(path, place, [image])[0], _names(path, place, names), {}, goes_on)


def _key_of(path: Path, place: str, content: dict, meaning: str, key: str | None) -> str:
    """Require that an object has a key with this meaning."""
    if key is None:
        keys = ', '.join(map(repr, list(content)[:6])) or 'nothing'
        raise UserError(
            f'{path} has no key "{meaning}" in {place}, only {keys}: {JSON_LINE_REMEDY} for each '
            'photo.'
        )
    return key


def _text_tags(path: Path, place: str, text: str, classes: Sequence[str]) -> list[str]:
    """The tag that a text is, if it can be one only; none if it is empty."""
    if ',' in text and strip_name(text) not in classes:
        raise UserError(
            f'{path} has the text {text!r} in {place}, which may be one class or several: write a '
            'list such as ["dog", "person"].'
        )
    return [text] if text.strip() else []


def _marks(path: Path, place: str, content: dict) -> dict[str, str]:
    """Marks by class, as a table has them in columns."""
    marks = {key: simplify_flag(str(value)) for key, value in content.items()}
    for key, mark in marks.items():
        if mark not in FLAG_VALUES or column_kind(key):
            raise UserError(
                f'{path} has the unknown key {key!r} in {place}: remove it, name it "tags", or '
                'write 1 and 0 if it is a class.'
            )
    return marks


def _read_task(path: Path, place: str, task: dict) -> _Object:
    """Read a task of Label Studio with its annotations."""
    done = [
        {name for part in one['result'] for name in labels_of(part.get('value', {}))}
        for one in task.get('annotations') or task.get('completions') or ()
        if not one.get('was_cancelled')
    ]
    if not done or any(names != done[0] for names in done):
        problem = 'annotations that differ' if done else 'no annotation'
        raise UserError(f'{path} has {problem} in {place}: keep one annotation of each photo.')
    images = [
        value
        for key, value in task['data'].items()
        if column_kind(key) == 'image' or is_image_name(str(value))
    ]
    return _Object(_names(path, place, images)[0], sorted(done[0]), {}, False)


def _names(path: Path, place: str, values: Any) -> list[str]:
    if not isinstance(values, list) or not all(isinstance(v, str) and v.strip() for v in values):
        shown = repr(values)
        shown = shown if len(shown) < SHOWN else f'{shown[:SHOWN]} ...'
        raise UserError(f'{path} has {shown} in {place} instead of names: {JSON_LINE_REMEDY}.')
    return list(map(strip_name, values))
