"""Intersection over union of masks."""

import numpy as np
from pycocotools import mask as mask_api

from mmlabelpenet.utils import Masks, to_rles


def mask_iou(masks: Masks, others: Masks) -> np.ndarray:
    """Intersection over union of each mask with each other mask.

    Args:
        masks: N masks, see :func:`to_rles`.
        others: M masks of the same height and width.

    Returns:
        [N, M] in 0..1; 0 for two empty masks.
    """
    first, second = to_rles(masks), to_rles(others)
    if not first or not second:
        return np.zeros((len(first), len(second)))
    overlaps = mask_api.iou(first, second, [0] * len(second))
    # some versions of pycocotools give nan (0 / 0) for two empty masks
    return np.nan_to_num(np.asarray(overlaps, dtype=np.float64))


def intersect_masks(masks: Masks, region: np.ndarray) -> list[dict]:
    """Intersect masks with a region.

    Args:
        masks: M masks, see :func:`to_rles`.
        region: [H, W] bool, the pixels to keep.

    Returns:
        M masks as RLE dicts.
    """
    (kept,) = to_rles(region[None])
    return [mask_api.merge([mask, kept], intersect=True) for mask in to_rles(masks)]
