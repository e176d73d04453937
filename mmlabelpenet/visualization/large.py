"""Instances of large images, whose masks are run lengths."""

from collections.abc import Sequence

import cv2
import numpy as np
from mmengine.structures import InstanceData

from mmlabelpenet.utils import decode_part

from .canvas import LEAST_LINE, LINE_SHARE, Colour

_OPACITY = 0.4


def paint_run_lengths(
    image: np.ndarray, instances: InstanceData, palette: Sequence[Colour]
) -> np.ndarray:
    """Tint the masks of instances, one at a time, and draw their outlines.

    Args:
        image: [H, W, 3] uint8 BGR.
        instances: With ``labels`` and ``masks``, COCO's run lengths.
        palette: A colour (red, green, blue) per class.

    Returns:
        A copy [H, W, 3] uint8 BGR.
    """
    painted = image.copy()
    line = round(max(LEAST_LINE, LINE_SHARE * min(image.shape[:2])))
    for mask, label in zip(instances.masks, instances.labels.tolist()):
        inside, x, y = decode_part(mask)
        part = painted[y : y + inside.shape[0], x : x + inside.shape[1]]
        colour = _OPACITY * np.array(palette[label][::-1], dtype=np.float32)
        part[inside] = (part[inside] * (1 - _OPACITY) + colour).round().astype(np.uint8)
        outline, _ = cv2.findContours(
            inside.astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE, offset=(x, y)
        )
        solid = tuple(map(int, palette[label][::-1]))
        cv2.drawContours(painted, outline, -1, solid, line)
    return painted


def without_masks(instances: InstanceData) -> InstanceData:
    """The instances without their masks."""
    return InstanceData(**{name: one for name, one in instances.items() if name != 'masks'})
