"""Marks of objects that other programs write, and that this package does not read."""

from collections.abc import Container, Iterator, Mapping
from typing import Any

# What says, in other programs' words, that an object does not count.
MARKS = {'iscrowd', 'isgroupof', 'ignore', 'ignored', 'difficult', 'deleted'}
YES = {'1', '1.0', 'true', 'yes', 'y', 't'}
NO_TURN = {'', 'none', '0', '0.0', '360', '360.0'}
UNREAD = (
    'An object has a mark that is not read ({count} in all, such as {example}): it counts as any '
    'other; if it should not, write <difficult>1</difficult> in an XML of VOC, "iscrowd": 1 or '
    '"ignore": 1 in a COCO file.'
)
TURNED = (
    'A box is rotated ({count} in all, such as {example}): it is used as if it were upright; '
    'export upright boxes around the objects.'
)


def unread_marks(given: Mapping[Any, Any], read: Container[str]) -> Iterator[tuple[str, str]]:
    """Find marks that would be overlooked.

    Args:
        given: Names and values of an object's entries.
        read: Names of marks that are read.

    Yields:
        A kind of doubt, and the mark.
    """
    for key, value in given.items():
        name, text = str(key).lower().replace('_', ''), str(value).strip().lower()
        if name in MARKS and key not in read and text in YES:
            yield UNREAD, f'{key}={text}'
        elif name == 'rotation' and text not in NO_TURN:
            yield TURNED, f'{key}={text}'
