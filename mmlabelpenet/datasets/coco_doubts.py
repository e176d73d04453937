"""What is suspicious in a COCO file but may be meant."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

import cv2
import numpy as np

from mmlabelpenet.utils import visible_name

from .coco_objects import Geometry
from .object_marks import unread_marks

SAME_ID = (
    'Two annotations have the same id ({count} in all, such as {example}): both are used, but '
    'other programs lose one; give each its own id.'
)
TWICE = (
    'Two annotations have the same photo, category, box and mask ({count} in all, such as '
    '{example}): both count as objects; remove one.'
)
LOOSE = (
    'A box and its mask overlap by less than half ({count} in all, such as {example}): both are '
    'used as they are; check them.'
)
TINY = (
    'A box is less than one pixel wide or high ({count} in all, such as {example}): it counts as '
    'one pixel; write bbox as [x, y, width, height] in pixels.'
)
HOLE = (
    'A polygon lies within another of its mask ({count} in all, such as {example}): a mask is all '
    'that its polygons cover, so that holes are filled; write masks with holes as run lengths.'
)
CORNERS = (
    'All boxes would lie in their photos as x1, y1, x2, y2 as well ({example}): '
    'they are read as x, y, width, height; make sure that they are.'
)
FEDERATED = (
    'A photo has neg_category_ids or not_exhaustive_category_ids, as in LVIS ({count} in all, '
    'such as {example}): classes that were not looked for count as absent; take a file in which '
    'all classes of each photo are annotated.'
)
ALIKE = (
    'Two categories differ only in case or in what cannot be seen ({count} in all, such as '
    '{example}): both are classes of their own; rename one if they are the same.'
)


def doubts_of_entries(
    annotations: Sequence[dict], images: Sequence[dict], names: Iterable[str]
) -> Iterator[tuple[str, str]]:
    """Find entries of a COCO file that say more than what is read.

    Args:
        annotations: Its annotations.
        images: Its photos.
        names: Of its categories.

    Yields:
        A kind of doubt, and an example.
    """
    # Most files have no such key in any annotation.
    keys = set[str]().union(*annotations) - {'iscrowd', 'ignore'}
    keys = {key for key in keys if any(unread_marks({key: 'yes'}, ())) or key == 'attributes'}
    for index, one in enumerate(annotations if keys else ()):
        nested = one.get('attributes')
        given = {key: one.get(key) for key in keys} | (nested if isinstance(nested, dict) else {})
        for kind, mark in unread_marks(given, ()):
            yield kind, f'{mark} of annotation {one.get("id", index + 1)}'
    for one in images:
        if one.get('neg_category_ids') or one.get('not_exhaustive_category_ids'):
            yield FEDERATED, f'photo {one.get("id")}'
    for pair in alike_names(names):
        yield ALIKE, pair


def alike_names(names: Iterable[str]) -> Iterator[str]:
    """Find names that differ only in case or in what cannot be seen.

    Args:
        names: The names.

    Yields:
        Two of them, with what cannot be seen.
    """
    owners: dict[str, str] = {}
    for name in names:
        other = owners.setdefault(visible_name(name).casefold(), name)
        if other != name:
            yield f'{other!a} and {name!a}'


def doubtful_objects(
    owners: Sequence[tuple], shapes: Mapping[int, Geometry]
) -> Iterator[tuple[str, list[int]]]:
    """Find objects of less than a pixel, with holes, and those that are given twice.

    Args:
        owners: Photo and category of each annotation.
        shapes: Boxes and masks of those that are used, by their places.

    Yields:
        A kind of doubt, and the places of the annotations that it is about.
    """
    first: dict[tuple, int] = {}
    for index, shape in shapes.items():
        if min(shape.bbox[2:], default=1) < 1 and not shape.flat:
            yield TINY, [index]
        if isinstance(shape.mask, list) and len(shape.mask) > 1 and _has_hole(shape.mask):
            yield HOLE, [index]
        same = first.setdefault((*owners[index], *shape.bbox), index)
        if same != index and shape.mask == shapes[same].mask:
            yield TWICE, [same, index]


def _has_hole(polygons: Sequence[Sequence[float]]) -> bool:
    """Whether a polygon lies within another one."""
    rings = [np.array(one, dtype=np.float32).reshape(-1, 2) for one in polygons]
    ends = np.array([[*ring.min(0), *-ring.max(0)] for ring in rings])
    inside = (ends[:, None] > ends[None]).all(2)
    return any(
        all(cv2.pointPolygonTest(rings[outer], point.tolist(), False) > 0 for point in rings[one])
        for one, outer in np.argwhere(inside)
    )


def may_be_corners(annotations: Sequence[dict], shapes: Sequence[Geometry]) -> bool:
    """Whether all boxes would be corners as well, and neither masks, areas nor modes tell.

    Args:
        annotations: Entries of a COCO file.
        shapes: Their boxes and masks.
    """
    if any(one.mask is not None for one in shapes) or any(
        one.get('area') or 'bbox_mode' in one for one in annotations
    ):
        return False
    boxes = np.array([one.bbox for one in shapes if len(one.bbox)]).reshape(-1, 4)
    starts, sizes = boxes[:, :2], boxes[:, 2:]
    return len(boxes) > 1 and bool((sizes > starts).all() and (starts > 0).any())
