"""Outlines of masks as polygons."""

from collections.abc import Sequence

import cv2
import numpy as np

# The outline runs through pixels' middles of a mask that is so much larger: an eighth of a pixel
# inside the true border, from where every rasteriser gets the same pixels back.
ENLARGEMENT = 4


def mask_to_polygons(mask: np.ndarray, tolerance: float = 0.3) -> list[np.ndarray]:
    """Trace the outlines of a mask, one polygon for each part that hangs together.

    A hole is cut in from the outline by a slit of no width, since formats of polygons know
    no holes: filled by the even-odd rule, as pycocotools and OpenCV do, it stays empty.

    Args:
        mask: [H, W] bool or 0/1.
        tolerance: How far, in pixels, a corner may be moved off the outline to save points; up
            to .3 nearly every pixel comes back.

    Returns:
        Polygons [P, 2] float64 of (x, y) in pixels, where the pixel in the corner reaches
        from 0 to 1; at least 3 points each, the largest part first.
    """
    mask = np.ascontiguousarray(mask, dtype=np.uint8)
    x, y, width, height = cv2.boundingRect(mask)
    if width == 0:
        return []
    # of a large image only the object is enlarged, and the border keeps outlines apart from it
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


def join_rings(rings: Sequence[np.ndarray]) -> np.ndarray:
    """Make one polygon of several rings: holes of the first, or parts that lie apart.

    Always the ring that is nearest to what is joined already follows, over its shortest
    bridge, there and back, so that no bridge crosses a ring.

    Args:
        rings: Each [P, 2].

    Returns:
        [P, 2], closed by itself: the last point is followed by the first.
    """
    joined, rest = rings[0], list(rings[1:])
    while rest:
        bridges = [_bridge(joined, ring) for ring in rest]
        nearest = min(range(len(rest)), key=lambda index: bridges[index][0])
        _, here, there = bridges[nearest]
        ring = np.roll(rest.pop(nearest), -there, axis=0)
        joined = np.concatenate([joined[: here + 1], ring, ring[:1], joined[here:]])
    return joined


def _simplify(contour: np.ndarray, tolerance: float) -> np.ndarray:
    """Fewer points [P, 2] of an enlarged contour; all of them where too few would be left."""
    simple = cv2.approxPolyDP(contour, tolerance * ENLARGEMENT, True)
    return (simple if len(simple) >= 3 else contour)[:, 0].astype(np.float64)


def _bridge(ring: np.ndarray, other: np.ndarray) -> tuple[float, int, int]:
    """Squared length of the shortest bridge between two rings' points, and where it stands."""
    distance = ((ring[:, None] - other[None]) ** 2).sum(-1)
    here, there = divmod(int(distance.argmin()), len(other))
    return float(distance[here, there]), here, there


def _area(polygon: np.ndarray) -> float:
    x, y = polygon.T
    return float(x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2
