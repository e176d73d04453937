"""Run lengths of masks and their intersection over union."""

from collections.abc import Sequence
from typing import TypeAlias

import cv2
import numpy as np
import torch
from pycocotools import mask as mask_api

Masks: TypeAlias = torch.Tensor | np.ndarray | Sequence[dict]


def to_rles(masks: Masks) -> list[dict]:
    """Encode masks as pycocotools' run lengths.

    Args:
        masks: Bool or 0/1 tensor or array [M, H, W], or RLE dicts, which are returned as they
            are.

    Returns:
        M dicts with keys ``size`` and ``counts``.
    """
    if isinstance(masks, torch.Tensor):
        masks = masks.detach().cpu().numpy()
    if not isinstance(masks, np.ndarray):
        return list(masks)
    if len(masks) == 0:
        return []
    # pycocotools needs [H, W, M] in column order; opencv transposes seven times as fast as numpy
    pixels = masks.astype(bool, copy=False).view(np.uint8)
    transposed = np.empty((len(masks), masks.shape[2], masks.shape[1]), dtype=np.uint8)
    for mask, target in zip(pixels, transposed):
        cv2.transpose(mask, target)
    return mask_api.encode(transposed.transpose(2, 1, 0))


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
