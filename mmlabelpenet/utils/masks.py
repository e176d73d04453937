"""Run lengths of masks."""

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
    return [_encode(mask) for mask in masks]


def _encode(mask: np.ndarray) -> dict:
    # pycocotools needs column order; opencv transposes seven times as fast as numpy
    columns = cv2.transpose(np.ascontiguousarray(mask).astype(bool, copy=False).view(np.uint8))
    return mask_api.encode(columns.T)


def mask_areas(rles: Sequence[dict]) -> np.ndarray:
    """Count the pixels [M] of run lengths.

    One by one: with numpy 2, pycocotools' ``area`` fails for more than 255.
    """
    return np.array([mask_api.area(one) for one in rles], dtype=np.int64)


def decode_part(rle: dict) -> tuple[np.ndarray, int, int]:
    """Decode the tight box of a mask: of a large image only a part is looked at.

    Args:
        rle: Run lengths.

    Returns:
        The part [h, w] bool, and x and y of its first pixel in the image.
    """
    x, y, width, height = mask_api.toBbox(rle).astype(int).tolist()
    return mask_api.decode(rle)[y : y + height, x : x + width] > 0, x, y


def decode_all(rles: Sequence[dict], size: Sequence[int]) -> np.ndarray:
    """Decode the run lengths of M masks of one ``size`` (H, W) into [M, H, W] bool."""
    masks = [mask_api.decode(one) > 0 for one in rles]
    return np.stack(masks) if masks else np.zeros((0, *size), dtype=bool)
