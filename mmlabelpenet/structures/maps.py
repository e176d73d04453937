"""Maps on the grid of an image, with their stride."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from .boxes import clip_boxes


def grid_size(img_shape: Sequence[int], stride: int) -> tuple[int, int]:
    """Rows and columns of a grid of ``stride`` that the unpadded image (h, w) covers."""
    return -(-int(img_shape[0]) // stride), -(-int(img_shape[1]) // stride)


@dataclass(frozen=True)
class Maps:
    """Maps of one image and the stride of their grid.

    Example:
        >>> maps = Maps(torch.rand(20, 24, 32), stride=16)
        >>> fine = maps.resample(8, grid_size((384, 512), 8)).normalise()

    Attributes:
        values: [M, h, w], the cells that cover the image.
        stride: Side of a cell in pixels of the network input.
    """

    values: Tensor
    stride: float

    def __getitem__(self, index: Tensor | slice) -> 'Maps':
        """Some of the maps."""
        return Maps(self.values[index], self.stride)

    def resample(self, stride: float, size: Sequence[int]) -> 'Maps':
        """Bring the maps onto a grid of another stride.

        The last cells of a coarse grid reach farther beyond the image than those of a fine one,
        so fitting one grid into the other would shift the maps: cells are scaled, then cut.

        Args:
            stride: Of the new grid.
            size: Its rows and columns.

        Returns:
            [M, rows, columns] in float32, bilinear.
        """
        if len(self.values) == 0:
            return Maps(self.values.new_zeros(0, *size), stride)
        return Maps(resample(self.values[None].float(), self.stride, stride, size)[0], stride)

    def normalise(self) -> 'Maps':
        """Divide each map by its maximum; empty maps stay empty."""
        return Maps(normalise(self.values), self.stride)

    def box_sums(self, bboxes: Tensor) -> Tensor:
        """Sum of each map inside each box, cells counted by their share inside the box.

        Args:
            bboxes: [N, 4] xyxy in pixels of the network input; cells outside the map are zero.

        Returns:
            [N, M].
        """
        table = F.pad(self.values.cumsum(1).cumsum(2), (1, 0, 1, 0))
        corners = (bboxes / self.stride).unflatten(1, (2, 2))
        (columns, across), (rows, down) = (
            _table_weights(corners[..., axis], table.shape[2 - axis]) for axis in (0, 1)
        )
        cells = (rows[:, :, None] * table.shape[2] + columns[:, None]).flatten(1)
        weights = (down[:, :, None] * across[:, None]).flatten(1)
        return (table.flatten(1)[:, cells] * weights).sum(2).t()

    def tight_boxes(self, img_shape: Sequence[int]) -> Tensor:
        """Boxes [M, 4] xyxy in input pixels around non-zero cells, clipped to the image."""
        return clip_boxes(tight_boxes(self.values) * self.stride, img_shape)

    def on_image(self, ori_shape: Sequence[int], scale_factor: Sequence[float]) -> Tensor:
        """Bring the maps onto the pixels of the original image.

        Args:
            ori_shape: (H, W) of the original image.
            scale_factor: (x, y) of the network input over the original image.

        Returns:
            [M, H, W], bilinear.
        """
        # The grid reaches beyond the image by a part of a cell: scale cells, then cut.
        rows = round(self.values.shape[1] * self.stride / scale_factor[1])
        columns = round(self.values.shape[2] * self.stride / scale_factor[0])
        maps = F.interpolate(self.values[:, None], size=(rows, columns), mode='bilinear')[:, 0]
        return maps[:, : ori_shape[0], : ori_shape[1]]


def resample(maps: Tensor, stride: float, new_stride: float, size: Sequence[int]) -> Tensor:
    """:meth:`Maps.resample` of a batch [B, C, h, w]; gradients pass through."""
    ratio = new_stride / stride
    if ratio == 1:
        return maps[..., : size[0], : size[1]]
    # A small margin, since a ratio that is no power of two may lose a cell to rounding.
    below, right = (max(0, math.ceil(n * ratio + 1e-6) - m) for n, m in zip(size, maps.shape[-2:]))
    maps = F.pad(maps, (0, right, 0, below), mode='replicate')
    maps = F.interpolate(maps, scale_factor=1 / ratio, mode='bilinear', align_corners=False)
    return maps[..., : size[0], : size[1]]


def mean_maps(maps: Sequence[Maps], img_shape: Sequence[int]) -> Maps:
    """Mean of maps of one image that were read at several scales.

    Larger scales see finer: a grid of a half, a third, ... of the first stride keeps their cells
    apart.

    Args:
        maps: [M, h_i, w_i] each; strides count in pixels of the first one's image.
        img_shape: (h, w) of that image.

    Returns:
        [M, h, w] in 0..1, all of ``maps`` weighted alike, each map divided by its maximum.
    """
    whole, finest = int(maps[0].stride), min(one.stride for one in maps)
    fitting = (s for s in range(1, whole + 1) if whole % s == 0 and s <= finest + 1e-3)
    stride = max(fitting, default=1)
    size = grid_size(img_shape, stride)
    resampled = [one.resample(stride, size).normalise().values for one in maps]
    return Maps(torch.stack(resampled).mean(0), stride).normalise()


def normalise(maps: Tensor) -> Tensor:
    """Divide each map of [C, h, w] by its maximum; empty maps stay empty."""
    return maps / maps.amax((-2, -1), keepdim=True).clamp(min=1e-6)


def _table_weights(edges: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """What entries of an integral image give the sum between two edges, along one axis.

    Args:
        edges: [N, 2] the first and the last edge, in cells.
        count: Number of entries, one more than cells.

    Returns:
        Index and weight [N, 4] of entries; each edge lies between two of them.
    """
    edges = edges.clamp(0, count - 1)
    before = edges.floor().clamp(max=count - 2)
    beyond = edges - before
    first, last = torch.stack([1 - beyond, beyond], dim=2).unbind(1)
    index = torch.stack([before, before + 1], dim=2).flatten(1).long()
    return index, torch.cat([-first, last], dim=1)


def inside_boxes(bboxes: Tensor, height: int, width: int) -> Tensor:
    """Cells whose centres lie in each box: [M, h, w] bool for boxes [M, 4] in cells."""
    x = torch.arange(width, device=bboxes.device) + 0.5
    y = torch.arange(height, device=bboxes.device) + 0.5
    x1, y1, x2, y2 = bboxes[:, :, None].unbind(1)
    columns = (x >= x1) & (x < x2)
    rows = (y >= y1) & (y < y2)
    return rows[:, :, None] & columns[:, None, :]


def tight_boxes(masks: Tensor) -> Tensor:
    """Smallest boxes [M, 4] xyxy in cells around masks [M, h, w]; all zero for an empty one."""
    # The maximum of bytes is 40 times as fast as `any` on a CPU.
    cells = (masks if masks.dtype == torch.bool else masks != 0).view(torch.uint8)
    columns, rows = cells.amax(1), cells.amax(2)
    filled = columns.any(1)
    x1, y1 = columns.float().argmax(1), rows.float().argmax(1)
    x2 = masks.shape[2] - columns.flip(1).float().argmax(1)
    y2 = masks.shape[1] - rows.flip(1).float().argmax(1)
    return torch.stack([x1, y1, x2, y2], dim=1).float() * filled[:, None]


def paste_maps(maps: Tensor, bboxes: Tensor, size: tuple[int, int]) -> Tensor:
    """Paste maps of regions into a grid, bilinearly.

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
