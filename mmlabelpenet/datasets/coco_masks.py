"""Checking masks of COCO files before pycocotools reads them.

Its C code trusts what it gets: polygons with NaN or compressed run lengths that end too early
crash the interpreter, and run lengths that are too short let it loop for ever.
"""

import math
from collections.abc import Sequence
from itertools import islice
from typing import Any

import numpy as np
from pycocotools import mask as mask_utils

# Pixels by which an annotation may reach beyond its photo, by rounding.
TOLERANCE = 2
POLYGONS = 'write segmentation as [[x1, y1, x2, y2, x3, y3, ...], ...]'
RUNS = 'encode the mask again at the size of the photo'
# Masks that are decoded together; their arrays fit into the processor's cache.
CHUNK = 200
# A run length of 32 bits has at most 7 characters of 5 bits.
MAX_CHARACTERS = 7
# Extent of a mask: left, top, right, bottom.
Extent = tuple[float, float, float, float]


class MaskError(ValueError):
    """What is wrong with a mask, and the remedy: the end of a sentence on its annotation."""


def polygon_extent(polygons: list, size: tuple[int, int]) -> Extent:
    """Check the polygons of an object.

    Args:
        polygons: The ``segmentation``.
        size: (height, width) of the photo.

    Returns:
        Left, top, right and bottom of all polygons together.

    Raises:
        MaskError: If pycocotools would not draw them as they are meant.
    """
    if not isinstance(polygons, list):
        raise MaskError(f'has a segmentation that is neither polygons nor run lengths: {POLYGONS}')
    xs: list[float] = []
    ys: list[float] = []
    for polygon in polygons:
        _require_polygon(polygon)
        xs += min(polygon[::2]), max(polygon[::2])
        ys += min(polygon[1::2]), max(polygon[1::2])
    extent = min(xs), min(ys), max(xs), max(ys)
    if outside(extent, size):
        raise MaskError(f'has a polygon beyond its photo of {size_text(size)} pixels: clip it')
    return extent


def _require_polygon(polygon: Any) -> None:
    if not isinstance(polygon, list):
        raise MaskError(f'has a segmentation that is no list of polygons: {POLYGONS}')
    try:
        finite = math.isfinite(sum(polygon))
    except (TypeError, OverflowError):
        finite = False
    if not finite:
        raise MaskError(f'has a polygon with a coordinate that is no number: {POLYGONS}')
    if len(polygon) < 6:
        raise MaskError(f'has a polygon of fewer than 3 points: {POLYGONS}')
    if len(polygon) % 2:
        raise MaskError(f'has a polygon of an odd number of coordinates: {POLYGONS}')


def outside(extent: Sequence[float], size: tuple[int, int]) -> bool:
    """Whether a box x1, y1, x2, y2 reaches beyond a photo (height, width), except by rounding."""
    left, top, right, bottom = extent
    return (
        min(left, top) < -TOLERANCE or right > size[1] + TOLERANCE or bottom > size[0] + TOLERANCE
    )


def size_text(size: Sequence[int]) -> str:
    """Write (height, width) as width x height."""
    return f'{size[1]} x {size[0]}'


def check_runs(masks: Sequence[dict], sizes: Sequence[tuple[int, int]]) -> list[MaskError | None]:
    """Check run lengths, compressed or not.

    Args:
        masks: Dicts of ``size`` (height, width) and ``counts``.
        sizes: (height, width) of the photo of each.

    Returns:
        What is wrong with each; None if nothing is.
    """
    pairs = iter(zip(masks, sizes))
    found: list[MaskError | None] = []
    while chunk := list(islice(pairs, CHUNK)):
        totals, areas = _sums([mask.get('counts') for mask, _ in chunk])
        for (mask, size), total, area in zip(chunk, totals, areas):
            problem = _runs_problem(mask.get('size'), size, int(total), int(area))
            found.append(MaskError(f'{problem}: {RUNS}') if problem else None)
    return found


def _runs_problem(given: Any, size: tuple[int, int], total: int, area: int) -> str:
    if not isinstance(given, list) or [*map(type, given)] != [int, int]:
        return 'has a mask without its size [height, width]'
    if tuple(given) != tuple(size):
        return f'has a mask of {size_text(given)} pixels, its photo has {size_text(size)}'
    if total < 0:
        return 'has damaged run lengths'
    if total != size[0] * size[1]:
        return f'has run lengths of {total} pixels, its mask has {size[0] * size[1]}'
    return '' if area else 'has a mask without a single pixel'


def _sums(counts: Sequence[Any]) -> tuple[np.ndarray, np.ndarray]:
    """Pixels and object pixels of run lengths [N]; -1 where they are damaged."""
    texts = [one if isinstance(one, str) and one.isascii() else '' for one in counts]
    totals, areas = compressed_sums(texts)
    for index, one in enumerate(counts):
        if isinstance(one, list) and set(map(type, one)) == {int} and min(one) >= 0:
            totals[index], areas[index] = min(sum(one), 2**62), min(sum(one[1::2]), 2**62)
        elif not texts[index]:
            totals[index] = -1
    return totals, areas


def compressed_sums(texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Sum compressed run lengths, as ``rleFrString`` of pycocotools decodes them.

    A run is a number of base 32, its lowest digit first; a character is a digit, 32 more if
    another digit follows, and 48. The last digit has the sign. From the fourth run on it is the
    difference from the run two before.

    Args:
        texts: ASCII.

    Returns:
        Pixels and object pixels [N] int64; -1 where a text is damaged.
    """
    data = np.frombuffer(''.join(texts).encode('ascii'), np.uint8).astype(np.int64) - 48
    lengths = np.array([len(text) for text in texts], dtype=np.int64)
    owner = np.repeat(np.arange(len(texts)), lengths)
    values, ends, damaged = _numbers(data, owner)
    owners = owner[ends]
    runs = np.bincount(owners, minlength=len(texts))
    place = np.arange(len(owners)) - np.repeat(np.cumsum(runs) - runs, runs)
    for chain in (place % 2 == 1, (place % 2 == 0) & (place > 0)):
        values[chain] = _cumulate(values[chain], owners[chain])
    negative = np.bincount(owners, values < 0, len(texts)) > 0
    bad = negative | (np.bincount(owners, damaged, len(texts)) > 0)
    sums = (np.bincount(owners, values * odd, len(texts)) for odd in (1, place % 2))
    totals, areas = (np.where(bad, -1, one).astype(np.int64) for one in sums)
    return totals, areas


def _numbers(data: np.ndarray, owner: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Get the numbers [M], the places of their last digits, and whether each is damaged."""
    last = np.diff(owner, append=-1) != 0
    ends = np.flatnonzero((data & 32 == 0) | last)
    starts = np.concatenate([[0], ends[:-1] + 1])[: len(ends)].astype(np.int64)
    digits = ends - starts + 1
    place = np.minimum(np.arange(len(data)) - np.repeat(starts, digits), MAX_CHARACTERS)
    parts = (data & 31) << (5 * place)
    wrong = (data < 0) | (data > 63) | (last & (data & 32 > 0))
    if len(ends) == 0:
        return parts, ends, wrong
    values = np.add.reduceat(parts, starts)
    values -= np.where(data[ends] & 16 > 0, 1 << (5 * np.minimum(digits, MAX_CHARACTERS)), 0)
    damaged = (np.add.reduceat(wrong.astype(np.int64), starts) > 0) | (digits > MAX_CHARACTERS)
    return np.where(damaged, 0, values), ends, damaged


def _cumulate(values: np.ndarray, owners: np.ndarray) -> np.ndarray:
    """Cumulative sums within each owner; owners are sorted."""
    total = np.cumsum(values)
    first = np.flatnonzero(np.diff(owners, prepend=-1) != 0)
    before = total[first] - values[first]
    return total - np.repeat(before, np.diff(first, append=len(values)))


def runs_extent(mask: dict) -> Extent:
    """Get the extent of run lengths that :func:`check_runs` has checked."""
    counts = mask['counts']
    plain = isinstance(counts, list)
    rle = mask_utils.frPyObjects(mask, *mask['size']) if plain else {**mask, 'counts': counts}
    left, top, width, height = mask_utils.toBbox(rle).tolist()
    return left, top, left + width, top + height
