"""Intersection over union of masks."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from pycocotools import mask as mask_api

from mmlabelpenet.utils import Masks, decode_part, mask_areas, to_rles


def mask_iou(
    masks: Masks | Sequence[np.ndarray], others: Masks, region: np.ndarray | None = None
) -> np.ndarray:
    """Intersection over union of each mask with each other mask.

    Pixels of dense masks are counted in the tight box of each other mask, which is several times
    as fast as encoding the masks as run lengths, and gives the same figures.

    Args:
        masks: N masks, see :func:`to_rles`; or a list of N arrays [H, W].
        others: M masks of the same height and width.
        region: [H, W] bool, the pixels of ``masks`` to keep; all by default.

    Returns:
        [N, M] in 0..1; 0 for two empty masks.
    """
    second = to_rles(others)
    if not len(masks) or not second:
        return np.zeros((len(masks), len(second)))
    if isinstance(masks, torch.Tensor):
        masks = masks.detach().cpu().numpy()
    if not isinstance(masks[0], dict):
        return _dense_iou(masks, second, region)
    first = list(masks) if region is None else intersect_masks(masks, region)
    overlaps = mask_api.iou(first, second, [0] * len(second))
    # some versions of pycocotools give nan (0 / 0) for two empty masks
    return np.nan_to_num(np.asarray(overlaps, dtype=np.float64))


def _dense_iou(
    masks: Sequence[Any] | np.ndarray, others: Sequence[dict], region: np.ndarray | None
) -> np.ndarray:
    parts = [decode_part(one) for one in others]
    counts = []
    for mask in masks:
        kept = np.asarray(mask, dtype=bool) if region is None else np.logical_and(mask, region)
        shared = (kept[y : y + len(part), x : x + part.shape[1]] & part for part, x, y in parts)
        counts.append([np.count_nonzero(one) for one in (kept, *shared)])
    total, *intersections = np.array(counts).T
    areas = mask_areas(others)
    union = total[:, None] + areas - np.transpose(intersections)
    return np.transpose(intersections) / np.maximum(union, 1)


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
