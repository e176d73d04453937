"""Attention of single instances, and connected parts of maps."""

import torch.nn.functional as F
from torch import Tensor

from mmlabelpenet.structures.maps import Maps, inside_boxes, normalise

from .energy import scale_boxes


def instance_attention(
    attention: Maps, bboxes: Tensor, labels: Tensor, dilation: float = 1.1
) -> Maps:
    """Class attention inside each instance's box, where no other instance has more of it.

    Args:
        attention: [C, h, w] in 0..1.
        bboxes: [M, 4] xyxy in input pixels.
        labels: [M], the class of each instance.
        dilation: Factor of the sides of the boxes within which attention is read.

    Returns:
        [M, h, w] in 0..1, each divided by its maximum. Where instances overlap, the larger
        attention wins the cell.
    """
    boxes = scale_boxes(bboxes / attention.stride, dilation)
    claims = attention.values[labels] * inside_boxes(boxes, *attention.values.shape[-2:])
    if len(claims) > 0:
        claims = normalise(claims) * (claims >= claims.amax(0, keepdim=True))
    return Maps(claims, attention.stride)


def grow_by_pooling(cells: Tensor) -> Tensor:
    """Dilate cells [M, h, w] bool by their eight neighbours, in few kernels of a GPU."""
    return F.max_pool2d(cells.half()[:, None], 3, stride=1, padding=1)[:, 0] > 0


def grow_by_shifts(cells: Tensor) -> Tensor:
    """Same as :func:`grow_by_pooling`; on a CPU ten times as fast as torch's pooling."""
    padded = F.pad(cells, (1, 1, 1, 1))
    rows = padded[:, :-2] | padded[:, 1:-1] | padded[:, 2:]
    return rows[..., :-2] | rows[..., 1:-1] | rows[..., 2:]


def connected_to_peak(maps: Tensor, threshold: float) -> Tensor:
    """The component of {map >= threshold * maximum} that holds the maximum, for each map.

    A flood fill that grows by one cell in a step, for as many steps as the longer side has cells:
    enough for all but the most winding shapes, and no size is read back from the device.

    Args:
        maps: [M, h, w], not negative.
        threshold: Share of each map's maximum.

    Returns:
        [M, h, w] bool.
    """
    peak = maps.amax((1, 2), keepdim=True)
    allowed = (maps >= threshold * peak) & (peak > 0)
    flood = (maps == peak) & (peak > 0)
    on_cpu = maps.device.type == 'cpu'
    grow = grow_by_shifts if on_cpu else grow_by_pooling
    for step in range(max(maps.shape[1:])):
        grown = grow(flood) & allowed
        # Stop when nothing grows. On a GPU the comparison costs more than the steps it saves.
        if on_cpu and step % 8 == 7 and grown.equal(flood):
            break
        flood = grown
    return flood
