"""Boxes and masks of COCO annotations, checked."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from .coco_masks import (
    TOLERANCE,
    Extent,
    MaskError,
    check_runs,
    outside,
    polygon_extent,
    runs_extent,
    size_text,
)

BOX = 'write bbox as [x, y, width, height] in pixels'
NO_BOX = [np.nan] * 4
MODES = {'None': 1, '0': 0, 'XYXY_ABS': 0, '1': 1, 'XYWH_ABS': 1}


class Geometry(NamedTuple):
    """Where an object is.

    Attributes:
        bbox: x, y, width, height in pixels.
        mask: Polygons or run lengths; None if there are none.
        flat: Whether it has no area at all, as two objects of COCO 2017 do.
    """

    bbox: Sequence[float] = ()
    mask: list | dict | None = None
    flat: bool = False


def read_geometry(
    annotations: Sequence[dict], sizes: Sequence[tuple[int, int]], crowds: Sequence[bool]
) -> tuple[list[Geometry], dict[int, str], tuple[str, str] | list[int]]:
    """Read the boxes and masks of annotations.

    An annotation without a box, or with one without area, has the box of its mask.

    Args:
        annotations: Entries of a COCO file.
        sizes: (height, width) of the photo of each.
        crowds: Whether each is a crowd, whose mask need not fit its box.

    Returns:
        The objects, empty where something is wrong; what is wrong, with the remedy, by the
        places of these; and what is wrong with all boxes together, and the remedy, or else the
        places of boxes that overlap their masks by less than half.
    """
    masks = [_given(one.get('segmentation')) for one in annotations]
    extents, problems = _mask_extents(masks, sizes)
    boxes = _boxes(annotations)
    corners = np.array(
        [NO_BOX if one is None else one for one in extents], dtype=np.float64
    ).reshape(-1, 4)
    whole = _in_fractions(boxes, corners, sizes) or _corners(annotations, boxes, corners)
    rows: list = boxes.tolist()
    found: list[Geometry] = []
    for index, (one, row, mask, extent) in enumerate(zip(annotations, rows, masks, extents)):
        try:
            if index in problems:
                raise problems[index]
            found.append(_geometry(one.get('bbox'), row, mask, extent, sizes[index]))
        except MaskError as error:
            problems[index] = error
            found.append(Geometry())
    unused = np.isin(np.arange(len(boxes)), [*problems]) | np.array(crowds, dtype=bool)
    corners[unused] = np.nan
    loose, apart = compare_boxes(boxes, corners)
    for index in apart:
        problems[index] = MaskError(
            f'has a bbox {annotations[index]["bbox"]} apart from its mask: draw one of them anew'
        )
    whole = whole or _all_loose(boxes, corners, loose)
    return found, {index: str(error) for index, error in problems.items()}, whole or loose


def understand_modes(annotations: Sequence[dict]) -> dict[int, str]:
    """Convert boxes whose ``bbox_mode`` of Detectron2 says that they are corners, in place.

    Args:
        annotations: With ``bbox``, and perhaps ``bbox_mode``: 0 is x1, y1, x2, y2, and 1 is x, y,
            width, height.

    Returns:
        What is wrong with a mode, with the remedy, by the place of the annotation.
    """
    problems = {}
    for index, one in enumerate(annotations):
        if 'bbox_mode' not in one:
            continue
        mode = MODES.get(str(one['bbox_mode']).removeprefix('BoxMode.'))
        if mode is None:
            problems[index] = f'has the bbox_mode {one["bbox_mode"]!r}: {BOX}, with bbox_mode 1'
        elif mode == 0 and _is_box(one.get('bbox')):
            x1, y1, x2, y2 = one['bbox']
            one |= {'bbox': [x1, y1, x2 - x1, y2 - y1], 'bbox_mode': 1}
    return problems


def find_corners(
    annotations: Sequence[dict], sizes: Sequence[tuple[int, int]]
) -> tuple[str, str] | None:
    """Find that all boxes are x1, y1, x2, y2, by the masks or the areas of the annotations.

    Args:
        annotations: Entries of a COCO file.
        sizes: (height, width) of the photo of each.

    Returns:
        What is wrong, and the remedy; None if nothing is.
    """
    extents, _ = _mask_extents([_given(one.get('segmentation')) for one in annotations], sizes)
    corners = np.array([NO_BOX if one is None else one for one in extents], dtype=np.float64)
    return _corners(annotations, _boxes(annotations), corners.reshape(-1, 4))


def _given(segmentation: Any) -> Any:
    """None for the ways in which files write that there is no mask."""
    return None if segmentation in (None, [], [[]], {}, '') else segmentation


def _boxes(annotations: Sequence[dict]) -> np.ndarray:
    """Boxes [N, 4] x, y, width, height; nan where there are none."""
    rows = [one.get('bbox') for one in annotations]
    rows = [row if _is_box(row) else NO_BOX for row in rows]
    return np.array(rows, dtype=np.float64).reshape(-1, 4)


def _is_box(row: Any) -> bool:
    numbers = isinstance(row, list) and len(row) == 4 and set(map(type, row)) <= {int, float}
    # Python's whole numbers may be too large to convert.
    return numbers and max(map(abs, row)) < 1e18


def _mask_extents(
    masks: Sequence[Any], sizes: Sequence[tuple[int, int]]
) -> tuple[list[Extent | None], dict[int, MaskError]]:
    """Check masks; get the extents of polygons, and what is wrong by place."""
    extents: list[Extent | None] = [None] * len(masks)
    problems: dict[int, MaskError] = {}
    runs = []
    for index, mask in enumerate(masks):
        if isinstance(mask, dict):
            runs.append(index)
        elif mask is not None:
            try:
                extents[index] = polygon_extent(mask, sizes[index])
            except MaskError as error:
                problems[index] = error
    found = check_runs([masks[i] for i in runs], [sizes[i] for i in runs])
    for index, wrong in zip(runs, found):
        extents[index] = None if wrong else runs_extent(masks[index])
    return extents, problems | {i: error for i, error in zip(runs, found) if error}


def _geometry(
    given: Any, box: Sequence[float], mask: Any, extent: Extent | None, size: tuple[int, int]
) -> Geometry:
    """Check one object, whose mask is right."""
    absent = given is None or given == []
    x, y, width, height = box
    if not absent and not math.isfinite(x + y + width + height):
        raise MaskError(f'has a bbox that is not 4 numbers ({str(given)[:60]}): {BOX}')
    if width < 0 or height < 0:
        raise MaskError(f'has a bbox of negative size ({given}): {BOX}')
    if not absent and outside((x, y, x + width, y + height), size):
        raise MaskError(
            f'has a bbox {given} beyond its photo of {size_text(size)} pixels: clip it, and {BOX}'
        )
    in_first = not absent and 0 < max(x + width, y + height) <= 1 and min(size) > TOLERANCE
    if in_first and any(one % 1 for one in box):
        raise MaskError(
            f'has a bbox {given} within the first pixel, as fractions of 1 are: multiply it by '
            'the width and height'
        )
    if not absent and min(width, height) > 0:
        _require_area(extent)
        return Geometry(given, mask)
    if mask is None:
        what = 'has neither a bbox nor a mask' if absent else f'has a bbox without area ({given})'
        raise MaskError(f'{what}: add its bbox, or remove the annotation')
    left, top, right, bottom = extent  # type: ignore[misc]
    if absent:
        _require_area(extent)
    flat = right <= left or bottom <= top
    return Geometry([left, top, right - left, bottom - top], mask, flat)


def _require_area(extent: Extent | None) -> None:
    if extent is not None and (extent[2] <= extent[0] or extent[3] <= extent[1]):
        raise MaskError('has polygons without area: draw its mask anew, or remove the annotation')


def compare_boxes(boxes: np.ndarray, extents: np.ndarray) -> tuple[list[int], list[int]]:
    """Compare boxes with the extents of masks.

    Args:
        boxes: [N, 4] x, y, width, height.
        extents: [N, 4] x1, y1, x2, y2; nan where there is none.

    Returns:
        Places whose IoU is less than a half, and among them those that do not even touch.
    """
    with np.errstate(invalid='ignore', divide='ignore'):
        corners = np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], axis=1)
        shared = np.minimum(corners, extents)[:, 2:] - np.maximum(corners, extents)[:, :2]
        areas = [np.prod(one[:, 2:] - one[:, :2], axis=1) for one in (corners, extents)]
        inner = np.prod(shared.clip(0), axis=1)
        far = np.abs(corners - extents).max(1) > TOLERANCE
        loose = far & (boxes[:, 2:] > 0).all(1) & (inner < (areas[0] + areas[1] - inner) / 2)
    apart = loose & (shared < -TOLERANCE).any(1)
    return np.flatnonzero(loose).tolist(), np.flatnonzero(apart).tolist()


def _all_loose(boxes: np.ndarray, extents: np.ndarray, loose: list[int]) -> tuple[str, str] | None:
    """Find that most boxes are of another meaning, such as that of another photo or a centre."""
    number = int((np.isfinite(boxes) & np.isfinite(extents)).all(1).sum())
    if 2 * len(loose) <= number:
        return None
    box, extent = ([round(one, 1) for one in row[loose[0]].tolist()] for row in (boxes, extents))
    return (
        f'has boxes that do not fit their masks ({len(loose)} of {number}, such as {box} for a '
        f'mask from {extent[:2]} to {extent[2:]})',
        f'{BOX}, around the mask',
    )


def _wrong_areas(annotations: Sequence[dict], boxes: np.ndarray) -> tuple[str, str] | None:
    """Find that boxes are corners, by the areas that annotations have."""
    given = [one.get('area') for one in annotations]
    areas = np.array(
        [one if type(one) in (int, float) else np.nan for one in given], dtype=np.float64
    )
    known = np.isfinite(boxes).all(1) & (areas > 0)
    areas, (x1, y1, x2, y2) = areas[known], boxes[known].T
    spans = [(x2 - x1 + i) * (y2 - y1 + i) for i in (0, 1)]
    as_corners = np.isclose(areas, spans, rtol=0.02).any(0) & (x2 > x1) & (y2 > y1)
    if as_corners.all() and not np.isclose(areas, x2 * y2, rtol=0.02).all():
        return 'has boxes x1, y1, x2, y2, as their areas show', BOX
    return None


def _in_fractions(
    boxes: np.ndarray, corners: np.ndarray, sizes: Sequence[tuple[int, int]]
) -> tuple[str, str] | None:
    """Find boxes in other units, which may lie within their photos."""
    for what, values in (('boxes', boxes), ('polygons', corners)):
        known = values[np.isfinite(values).all(1)]
        fractions = (known != np.round(known)).any() and known.max() <= 1
        if fractions and np.min(sizes) > TOLERANCE:
            return f'has {what} in fractions of 1', 'multiply them by the width and height'
    return None


def _corners(
    annotations: Sequence[dict], boxes: np.ndarray, corners: np.ndarray
) -> tuple[str, str] | None:
    """Find boxes of another kind, which may lie within their photos."""
    both = np.isfinite(boxes).all(1) & np.isfinite(corners).all(1)
    known, boxes, corners = boxes, boxes[both], corners[both]
    as_corners = np.abs(boxes - corners).max(initial=0) <= TOLERANCE
    ends = boxes[:, :2] + boxes[:, 2:]
    if as_corners and (np.abs(ends - corners[:, 2:]) > 2 * TOLERANCE).any():
        return 'has boxes x1, y1, x2, y2, as its polygons show', BOX
    return _wrong_areas(annotations, known)
