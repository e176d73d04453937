"""Maps on the grids of an image: what they cover, and ways from one to another."""

import math
from collections.abc import Iterable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmlabelpenet.structures import Evidence


def valid_cells(img_shape: Sequence[int], stride: int) -> tuple[int, int]:
    """Rows and columns of a map of ``stride`` that the unpadded image (h, w) covers."""
    return -(-int(img_shape[0]) // stride), -(-int(img_shape[1]) // stride)


def resample(maps: Tensor, stride: float, new_stride: float, size: tuple[int, int]) -> Tensor:
    """Bring maps from the grid of one stride onto that of another, pixel for pixel.

    The last cells of a coarse grid reach farther beyond the image than those of a fine one, so
    that fitting one grid into the other would shift what it shows: cells are scaled, then cut.

    Args:
        maps: [B, C, h, w], the cells that cover an image, or more.
        stride: Their stride.
        new_stride: The stride wanted.
        size: Rows and columns of the new grid that cover the image.

    Returns:
        [B, C, rows, columns], bilinear.
    """
    ratio = new_stride / stride
    if ratio == 1:
        return maps[..., : size[0], : size[1]]
    # A hair more, since a ratio that is no power of two may lose a cell to rounding.
    below, right = (max(0, math.ceil(n * ratio + 1e-6) - m) for n, m in zip(size, maps.shape[-2:]))
    maps = F.pad(maps, (0, right, 0, below), mode='replicate')
    maps = F.interpolate(maps, scale_factor=1 / ratio, mode='bilinear', align_corners=False)
    return maps[..., : size[0], : size[1]]


def maps_on_image(maps: Tensor, stride: float, evidence: Evidence) -> Tensor:
    """Bring maps from a grid of the network input onto the pixels of the image itself.

    Args:
        maps: [M, h, w], the cells that cover the image.
        stride: Their stride in input pixels.
        evidence: With ``ori_shape`` (H, W) and the input's ``scale_factor`` (x, y).

    Returns:
        [M, H, W], bilinear.
    """
    height, width = evidence.ori_shape[:2]
    # The grid reaches beyond the image by a part of a cell: scale cells, then cut.
    rows = round(maps.shape[1] * stride / evidence.scale_factor[1])
    columns = round(maps.shape[2] * stride / evidence.scale_factor[0])
    maps = F.interpolate(maps[:, None], size=(rows, columns), mode='bilinear')[:, 0]
    return maps[:, :height, :width]


def refined(
    refiners: Iterable[nn.Module], image: Tensor, maps: Tensor, stride: int
) -> tuple[Tensor, int]:
    """Fit maps to the image by one refiner after the other.

    Args:
        refiners: Such as ``PixelAffinity`` or ``DenseCRF``.
        image: [3, h, w] as the network sees it, without padding.
        maps: [M, h / stride, w / stride], not negative.
        stride: Of their grid.

    Returns:
        The maps on the grid of the last refiner, and its stride.
    """
    for refiner in refiners:
        maps, stride = refiner(image, maps, stride), refiner.stride
    return maps, stride


def normalise(maps: Tensor) -> Tensor:
    """Divide each map of [C, h, w] by its maximum; empty maps stay empty."""
    return maps / maps.amax((-2, -1), keepdim=True).clamp(min=1e-6)


def inside_boxes(bboxes: Tensor, height: int, width: int) -> Tensor:
    """Which cell centres lie in which box: [M, h, w] bool for boxes [M, 4] in cells."""
    x = torch.arange(width, device=bboxes.device) + 0.5
    y = torch.arange(height, device=bboxes.device) + 0.5
    x1, y1, x2, y2 = bboxes[:, :, None].unbind(1)
    columns = (x >= x1) & (x < x2)
    rows = (y >= y1) & (y < y2)
    return rows[:, :, None] & columns[:, None, :]


def tight_boxes(masks: Tensor) -> Tensor:
    """Smallest boxes [M, 4] xyxy in cells around masks [M, h, w]; all zero for an empty one."""
    columns, rows = masks.any(1), masks.any(2)
    filled = columns.any(1)
    x1, y1 = columns.float().argmax(1), rows.float().argmax(1)
    x2 = masks.shape[2] - columns.flip(1).float().argmax(1)
    y2 = masks.shape[1] - rows.flip(1).float().argmax(1)
    return torch.stack([x1, y1, x2, y2], dim=1).float() * filled[:, None]


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
