"""Areas and overlaps of boxes, in NumPy."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import DTypeLike


def box_excess(boxes: np.ndarray, size: Sequence[float]) -> np.ndarray:
    """How far each box reaches beyond its image, at most 0 for a box within it.

    Args:
        boxes: [N, 4] xyxy in pixels, x2 and y2 exclusive.
        size: (height, width) of the image.

    Returns:
        [N] in pixels.
    """
    # of floats, as unsigned and small integers could overflow
    boxes = boxes.astype(np.float64)
    return np.maximum(-boxes[:, :2], boxes[:, 2:] - np.array([size[1], size[0]])).max(axis=1)


def box_text(box: np.ndarray) -> str:
    """Write the corners (x1, y1, x2, y2) of a box for a message."""
    return f'({", ".join(f"{value:.6g}" for value in box)})'


def box_areas(boxes: np.ndarray, inclusive: bool = False) -> np.ndarray:
    """Area of each box, 0 for a box that ends before it begins.

    Args:
        boxes: [N, 4] xyxy in pixels.
        inclusive: See :func:`box_intersections`.

    Returns:
        [N] in square pixels, of the dtype of the boxes.
    """
    return (boxes[:, 2:] - boxes[:, :2] + int(inclusive)).clip(0).prod(axis=1)


def box_intersections(
    boxes: np.ndarray, others: np.ndarray, inclusive: bool = False
) -> np.ndarray:
    """Area that each box shares with each other box.

    Args:
        boxes: [N, 4] xyxy in pixels.
        others: [M, 4] likewise.
        inclusive: Whether (x2, y2) is the last pixel inside the box, as in VOC's devkit, so
            that a box is x2 - x1 + 1 pixels wide; else it is x2 - x1 wide.

    Returns:
        [N, M] in square pixels. Coordinates are taken one at a time, so that no buffer is
        larger than the result.
    """
    width = np.minimum(boxes[:, None, 2], others[:, 2])
    width -= np.maximum(boxes[:, None, 0], others[:, 0])
    height = np.minimum(boxes[:, None, 3], others[:, 3])
    height -= np.maximum(boxes[:, None, 1], others[:, 1])
    if inclusive:
        width += 1
        height += 1
    return width.clip(min=0) * height.clip(min=0)


def box_iou(
    boxes: np.ndarray,
    others: np.ndarray,
    inclusive: bool = False,
    dtype: DTypeLike = np.float64,
) -> np.ndarray:
    """Intersection over union of each box with each other box.

    Args:
        boxes: [N, 4] xyxy in pixels, of any dtype.
        others: [M, 4] likewise.
        inclusive: See :func:`box_intersections`.
        dtype: Of the arithmetic and of the result.

    Returns:
        [N, M] in 0..1; 0 where both boxes are empty.

    Example:
        >>> box_iou(np.array([[0, 0, 9, 9]]), np.array([[0, 0, 9, 4]]), inclusive=True)
        array([[0.5]])
    """
    boxes = np.asarray(boxes, dtype=dtype).reshape(-1, 4)
    others = np.asarray(others, dtype=dtype).reshape(-1, 4)
    intersection = box_intersections(boxes, others, inclusive)
    union = box_areas(boxes, inclusive)[:, None] + box_areas(others, inclusive) - intersection
    return np.divide(intersection, union, out=np.zeros_like(intersection), where=union > 0)
