"""How much attention lies in boxes: integral images and the scores made of them."""

import torch
from torch import Tensor


def integral_image(maps: Tensor) -> Tensor:
    """Sums over all cells above and left: [C, h, w] to [C, h + 1, w + 1]."""
    padded = maps.new_zeros(maps.shape[0], maps.shape[1] + 1, maps.shape[2] + 1)
    padded[:, 1:, 1:] = maps.cumsum(1).cumsum(2)
    return padded


def box_sums(maps: Tensor, bboxes: Tensor) -> Tensor:
    """Sum of each map inside each box, cells counted by the part of them that is inside.

    Args:
        maps: [C, h, w], a value per cell.
        bboxes: [N, 4] xyxy in cells; what lies outside the map counts nothing.

    Returns:
        [N, C].
    """
    table = integral_image(maps)
    x1, y1, x2, y2 = bboxes.unbind(1)
    return (
        _lookup(table, x2, y2)
        - _lookup(table, x1, y2)
        - _lookup(table, x2, y1)
        + _lookup(table, x1, y1)
    ).t()


def _lookup(table: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Bilinear reading of the integral image at [N] points: [C, N], exact between cells."""
    height, width = table.shape[1:]
    x, y = x.clamp(0, width - 1), y.clamp(0, height - 1)
    left, top = x.floor().long().clamp(max=width - 2), y.floor().long().clamp(max=height - 2)
    dx, dy = x - left, y - top
    upper = table[:, top, left] * (1 - dx) + table[:, top, left + 1] * dx
    lower = table[:, top + 1, left] * (1 - dx) + table[:, top + 1, left + 1] * dx
    return upper * (1 - dy) + lower * dy


def scale_boxes(bboxes: Tensor, factor: float) -> Tensor:
    """Boxes [N, 4] with sides ``factor`` times as long about the same centres."""
    centre = (bboxes[:, :2] + bboxes[:, 2:]) / 2
    half = (bboxes[:, 2:] - bboxes[:, :2]) * (factor / 2)
    return torch.cat([centre - half, centre + half], dim=1)


def contrast_energy(maps: Tensor, bboxes: Tensor, threshold: float) -> Tensor:
    """Share of the attention above ``threshold`` that a box holds, less what it lacks of it.

    The sum over the box of (A - threshold), divided by the sum over the image of its positive
    part: 1 for the box that holds all attention and nothing else. A box that cuts the object
    loses attention, one that swallows background pays for every cell below the threshold.

    Args:
        maps: Attention A, [C, h, w] in 0..1.
        bboxes: [N, 4] xyxy in cells.
        threshold: Attention below which a cell speaks against the box.

    Returns:
        [N, C], at most 1, clamped at 0.
    """
    contrast = maps - threshold
    total = contrast.clamp(min=0).sum((1, 2)).clamp(min=1e-6)
    return (box_sums(contrast, bboxes) / total).clamp(min=0)


def energy_share(maps: Tensor, bboxes: Tensor, dilation: float = 1.5) -> Tensor:
    """Share of the attention around a box that lies inside it (METHOD 5).

    Args:
        maps: [C, h, w], not negative.
        bboxes: [N, 4] xyxy in cells.
        dilation: Factor of the sides of the surrounding box.

    Returns:
        [N, C] in 0..1; 0 where there is no attention at all.
    """
    around = box_sums(maps, scale_boxes(bboxes, dilation))
    return box_sums(maps, bboxes).clamp(min=0) / around.clamp(min=1e-6)
