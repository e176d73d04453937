"""Energy of boxes: how much attention lies in them."""

import torch
from torch import Tensor

from mmlabelpenet.structures import Maps


def scale_boxes(bboxes: Tensor, factor: float) -> Tensor:
    """Boxes [N, 4] with sides ``factor`` times as long about the same centres."""
    centre = (bboxes[:, :2] + bboxes[:, 2:]) / 2
    half = (bboxes[:, 2:] - bboxes[:, :2]) * (factor / 2)
    return torch.cat([centre - half, centre + half], dim=1)


def contrast_energy(maps: Maps, bboxes: Tensor, threshold: float) -> Tensor:
    """Share of the attention above ``threshold`` inside a box, minus a penalty for background.

    The sum over the box of (A - threshold), divided by the sum over the image of its positive
    part: 1 for the box that holds all attention and nothing else. A box that cuts the object
    loses attention, one that includes background pays for every cell below the threshold.

    Args:
        maps: Attention A, [C, h, w] in 0..1.
        bboxes: [N, 4] xyxy in input pixels.
        threshold: Attention below which a cell counts against the box.

    Returns:
        [N, C], at most 1, clamped at 0.
    """
    contrast = maps.values - threshold
    total = contrast.clamp(min=0).sum((1, 2)).clamp(min=1e-6)
    return (Maps(contrast, maps.stride).box_sums(bboxes) / total).clamp(min=0)


def energy_share(maps: Maps, bboxes: Tensor, dilation: float = 1.5) -> Tensor:
    """Share of the attention around a box that lies inside it (docs/paper/method.md).

    Args:
        maps: [C, h, w], not negative.
        bboxes: [N, 4] xyxy in input pixels.
        dilation: Factor of the sides of the surrounding box.

    Returns:
        [N, C] in 0..1; 0 where there is no attention at all.
    """
    around = maps.box_sums(scale_boxes(bboxes, dilation))
    return maps.box_sums(bboxes).clamp(min=0) / around.clamp(min=1e-6)
