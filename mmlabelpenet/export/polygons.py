"""Conversion of masks to polygons."""

from collections.abc import Sequence

import cv2
import numpy as np

from mmlabelpenet.utils import decode_part

from .bridges import Bridges

# Outlines are traced through the pixel centres of a mask enlarged by this factor. They lie an
# eighth of a pixel inside the exact border, so that every rasteriser restores the same pixels.
ENLARGEMENT = 4


def mask_to_polygons(mask: np.ndarray, tolerance: float = 0.3) -> list[np.ndarray]:
    """Trace the outlines of a mask, one polygon for each connected component.

    Polygon formats have no holes, so a cut of zero width connects a hole to the outline: with the
    even-odd rule, which pycocotools and OpenCV use, it stays empty.

    Args:
        mask: [H, W] bool or 0/1.
        tolerance: Maximum distance in pixels between the outline and its simplification; up to
            .3 nearly all pixels are restored.

    Returns:
        Polygons [P, 2] float64 of (x, y) in pixels, where the first pixel extends from 0 to 1;
        at least 3 points each, the largest component first.
    """
    mask = np.ascontiguousarray(mask, dtype=np.uint8)
    x, y, width, height = cv2.boundingRect(mask)
    if width == 0:
        return []
    # Enlarge only the object, with a border so that no outline touches the edge.
    part = np.pad(mask[y : y + height, x : x + width], 1)
    part = part.repeat(ENLARGEMENT, axis=0).repeat(ENLARGEMENT, axis=1)
    contours, hierarchy = cv2.findContours(part, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    rings = [_simplify(contour, tolerance) for contour in contours]
    offset = np.array([x - 1, y - 1])
    rings = [(ring + 0.5) / ENLARGEMENT + offset for ring in rings]
    polygons = []
    for index, (_, _, first_hole, parent) in enumerate(hierarchy[0]):
        if parent >= 0:
            continue
        holes = []
        while first_hole >= 0:
            holes.append(rings[first_hole])
            first_hole = hierarchy[0][first_hole][0]
        polygons.append(join_rings([rings[index], *holes]))
    return sorted(polygons, key=lambda polygon: -abs(_area(polygon)))


def rle_to_polygons(rle: dict) -> list[np.ndarray]:
    """Trace the outlines of run lengths, see :func:`mask_to_polygons`."""
    part, x, y = decode_part(rle)
    return [polygon + np.array([x, y]) for polygon in mask_to_polygons(part)]


def join_rings(rings: Sequence[np.ndarray]) -> np.ndarray:
    """Join several rings to one polygon: holes of the first, or separate components.

    The ring nearest to the joined ones is added next, along the shortest bridge there and back,
    so that no bridge crosses a ring.

    Args:
        rings: Each [P, 2].

    Returns:
        [P, 2], closed implicitly: the first point follows the last.
    """
    if len(rings) == 1:
        return rings[0]
    bridges = Bridges(rings)
    # numbers of the points, for which equal points have one number
    joined = bridges.corners[0]
    for index, here, there in bridges:
        # of several shortest bridges the first one along the joined rings, then along the ring
        at = int(np.isin(joined, here).argmax())
        ring = bridges.corners[index]
        start = int(np.isin(ring, there[here == joined[at]]).argmax())
        ring = np.roll(ring, -start)
        joined = np.concatenate([joined[: at + 1], ring, ring[:1], joined[at:]])
    return bridges.points[joined]


def _simplify(contour: np.ndarray, tolerance: float) -> np.ndarray:
    """Simplify an enlarged contour to points [P, 2], unless fewer than three would remain."""
    simple = cv2.approxPolyDP(contour, tolerance * ENLARGEMENT, True)
    return (simple if len(simple) >= 3 else contour)[:, 0].astype(np.float64)


def _area(polygon: np.ndarray) -> float:
    x, y = polygon.T
    return float(x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2
