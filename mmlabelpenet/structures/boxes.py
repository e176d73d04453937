"""Boxes on their device: no number is sent to it and none is read back, unlike in mmdet's own."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

# Of the deltas of a box, as in Fast R-CNN.
STDS = (0.1, 0.2)
# Sides of a decoded box are at most so many times those of the region, or of it in them.
MAX_RATIO = 1000 / 16
EPS = 1e-6


def box_iou(first: Tensor, second: Tensor) -> Tensor:
    """IoU [..., N, M] of all pairs of boxes [..., N, 4] and [..., M, 4] xyxy."""
    return paired_iou(first[..., :, None, :], second[..., None, :, :])


def paired_iou(first: Tensor, second: Tensor) -> Tensor:
    """IoU [...] of boxes [..., 4] xyxy with the boxes [..., 4] in the same places."""
    overlap = paired_overlap(first, second)
    return overlap / (box_area(first) + box_area(second) - overlap).clamp(min=EPS)


def paired_overlap(first: Tensor, second: Tensor) -> Tensor:
    """Area [...] that boxes [..., 4] xyxy share with the boxes [..., 4] in the same places."""
    near = torch.maximum(first[..., :2], second[..., :2])
    far = torch.minimum(first[..., 2:], second[..., 2:])
    width, height = (far - near).clamp(min=0).unbind(-1)
    return width * height


def box_area(bboxes: Tensor) -> Tensor:
    """Area [...] of boxes [..., 4] xyxy."""
    return (bboxes[..., 2] - bboxes[..., 0]) * (bboxes[..., 3] - bboxes[..., 1])


def clip_boxes(bboxes: Tensor, img_shape: Sequence[int]) -> Tensor:
    """Boxes [N, 4] xyxy cut to an image of (h, w) pixels."""
    x1, y1, x2, y2 = bboxes.unbind(1)
    height, width = img_shape[:2]
    columns, rows = (x.clamp(0, width) for x in (x1, x2)), (y.clamp(0, height) for y in (y1, y2))
    return torch.stack([side for pair in zip(columns, rows) for side in pair], dim=1)


def stretch_boxes(bboxes: Tensor, factors: Sequence[float]) -> Tensor:
    """Boxes [N, 4] xyxy whose coordinates are multiplied by factors of x and y."""
    columns = bboxes[:, 0::2] * factors[0], bboxes[:, 1::2] * factors[1]
    return torch.stack(columns, dim=2).flatten(1)


def shrink_boxes(bboxes: Tensor, factors: Sequence[float]) -> Tensor:
    """Boxes [N, 4] xyxy whose coordinates are divided by factors of x and y."""
    columns = bboxes[:, 0::2] / factors[0], bboxes[:, 1::2] / factors[1]
    return torch.stack(columns, dim=2).flatten(1)


def encode_boxes(regions: Tensor, targets: Tensor, stds: Sequence[float] = STDS) -> Tensor:
    """Deltas of Fast R-CNN: centre and logarithm of the sides relative to a region's.

    Args:
        regions: [N, 4] xyxy.
        targets: [N, 4] xyxy, the box of each region.
        stds: Divisors of the deltas of centres, and of sides.

    Returns:
        [N, 4]; not finite for boxes without an area.
    """
    (centre, sides), (own_centre, own_sides) = (_middle(boxes) for boxes in (targets, regions))
    moved = (centre - own_centre) / own_sides / stds[0]
    return torch.cat([moved, (sides / own_sides).log() / stds[1]], dim=1)


def decode_boxes(
    regions: Tensor, deltas: Tensor, img_shape: Sequence[int], stds: Sequence[float] = STDS
) -> Tensor:
    """Inverse of :func:`encode_boxes`, cut to the image.

    Args:
        regions: [N, 4] xyxy.
        deltas: [N, 4].
        img_shape: (h, w) of the image.
        stds: Divisors of the deltas of centres, and of sides.

    Returns:
        [N, 4] xyxy.
    """
    centre, sides = _middle(regions)
    most = math.log(MAX_RATIO)
    centre = centre + sides * (deltas[:, :2] * stds[0])
    half = sides * (deltas[:, 2:] * stds[1]).clamp(-most, most).exp() * 0.5
    return clip_boxes(torch.cat([centre - half, centre + half], dim=1), img_shape)


def _middle(bboxes: Tensor) -> tuple[Tensor, Tensor]:
    """Centres [N, 2] and sides [N, 2] of boxes [N, 4]."""
    return (bboxes[:, :2] + bboxes[:, 2:]) * 0.5, bboxes[:, 2:] - bboxes[:, :2]
