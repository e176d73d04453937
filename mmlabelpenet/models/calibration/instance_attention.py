"""Attention of single instances: cut from class maps, pasted into maps, boxed tightly."""

import torch
import torch.nn.functional as F
from torch import Tensor

from .attention import normalise
from .energy import scale_boxes


def inside_boxes(bboxes: Tensor, height: int, width: int) -> Tensor:
    """Which cell centres lie in which box: [M, h, w] bool for boxes [M, 4] in cells."""
    x = torch.arange(width, device=bboxes.device) + 0.5
    y = torch.arange(height, device=bboxes.device) + 0.5
    x1, y1, x2, y2 = bboxes[:, :, None].unbind(1)
    columns = (x >= x1) & (x < x2)
    rows = (y >= y1) & (y < y2)
    return rows[:, :, None] & columns[:, None, :]


def instance_attention(
    attention: Tensor, bboxes: Tensor, labels: Tensor, dilation: float = 1.1
) -> Tensor:
    """Class attention inside each instance's box, where no other class claims more of it.

    Args:
        attention: [C, h, w] in 0..1.
        bboxes: [M, 4] xyxy in cells.
        labels: [M], the class of each instance.
        dilation: Factor of the sides of the boxes within which attention is read.

    Returns:
        [M, h, w] in 0..1, each divided by its maximum. Where instances overlap, the larger
        attention wins the cell.
    """
    inside = inside_boxes(scale_boxes(bboxes, dilation), *attention.shape[-2:])
    claims = attention[labels] * inside
    if len(claims) == 0:
        return claims
    winner = claims.amax(0, keepdim=True)
    return normalise(claims) * (claims >= winner)


def paste_maps(maps: Tensor, bboxes: Tensor, size: tuple[int, int]) -> Tensor:
    """Bring maps of regions back onto a grid, bilinearly.

    Args:
        maps: [M, s, s], one map for each region.
        bboxes: [M, 4] xyxy in cells of the grid.
        size: (h, w) of the grid.

    Returns:
        [M, h, w], zero outside the boxes.
    """
    height, width = size
    x1, y1, x2, y2 = bboxes[:, :, None].unbind(1)
    x = (torch.arange(width, device=maps.device) + 0.5 - x1) / (x2 - x1).clamp(min=1e-3)
    y = (torch.arange(height, device=maps.device) + 0.5 - y1) / (y2 - y1).clamp(min=1e-3)
    x, y = x[:, None, :].expand(-1, height, -1), y[:, :, None].expand(-1, -1, width)
    grid = 2 * torch.stack([x, y], dim=-1).float() - 1
    return F.grid_sample(maps[:, None].float(), grid, align_corners=False)[:, 0]


def connected_to_peak(maps: Tensor, threshold: float) -> Tensor:
    """The component of {map >= threshold * maximum} that holds the maximum, for each map.

    A flood that grows by one cell in a step, for as many steps as the longer side has cells:
    enough for all but the most winding shapes, and no size is read back from the device.

    Args:
        maps: [M, h, w], not negative.
        threshold: Share of each map's maximum.

    Returns:
        [M, h, w] bool.
    """
    peak = maps.amax((1, 2), keepdim=True)
    allowed = ((maps >= threshold * peak) & (peak > 0)).float()[:, None]
    flood = ((maps == peak) & (peak > 0)).float()[:, None]
    for step in range(max(maps.shape[1:])):
        grown = F.max_pool2d(flood, 3, stride=1, padding=1) * allowed
        # Where nothing grows nothing will; asking costs a GPU more than the steps that it spares.
        if step % 8 == 7 and grown.device.type == 'cpu' and grown.equal(flood):
            break
        flood = grown
    return flood[:, 0] > 0


def tight_boxes(masks: Tensor) -> Tensor:
    """Smallest boxes [M, 4] xyxy in cells around masks [M, h, w]; all zero for an empty one."""
    columns, rows = masks.any(1), masks.any(2)
    filled = columns.any(1)
    x1, y1 = columns.float().argmax(1), rows.float().argmax(1)
    x2 = masks.shape[2] - columns.flip(1).float().argmax(1)
    y2 = masks.shape[1] - rows.flip(1).float().argmax(1)
    return torch.stack([x1, y1, x2, y2], dim=1).float() * filled[:, None]
