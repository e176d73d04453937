"""Attention of single instances, and connected parts of maps."""

import cv2
import numpy as np
import torch
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


def components_by_hooking(cells: Tensor) -> Tensor:
    """Number the eight-connected components of maps, without reading anything from a device.

    Each cell points to a cell of its component with a larger index. In each step all cells that
    point to the same one take over the largest index that any of them sees among its neighbours,
    and pointers get shorter by pointing to what they point to (after FastSV: Zhang, Azad and Hu,
    2020). Spirals and mazes of up to 400 x 400 cells needed no more steps than their number of
    cells has binary digits.

    Args:
        cells: [M, h, w] bool, with less than 2^24 cells in a map.

    Returns:
        [M, h * w] long: a number in 0..h * w - 1 that the cells of a component share, and no other
        cell of ``cells`` has.
    """
    inside = cells.flatten(1)
    count = inside.shape[1]
    pointer = torch.arange(count, device=cells.device).expand(len(cells), -1)
    for _ in range(count.bit_length() + 2):
        next_pointer = pointer.gather(1, pointer)
        seen = next_pointer.masked_fill(~inside, -1).float().view(len(cells), 1, *cells.shape[1:])
        largest = F.max_pool2d(seen, 3, stride=1, padding=1).long().flatten(1)
        largest = torch.where(inside, largest, pointer)
        hooked = pointer.scatter_reduce(1, pointer, largest, 'amax')
        pointer = torch.maximum(torch.maximum(hooked, largest), next_pointer)
    return pointer


def components_by_scanning(cells: Tensor) -> Tensor:
    """:func:`components_by_hooking` for a CPU, by OpenCV: from 1 on, 0 elsewhere."""
    numbers = [cv2.connectedComponents(one, connectivity=8)[1] for one in cells.byte().numpy()]
    return torch.from_numpy(np.stack(numbers)).long().flatten(1)


def connected_to_peak(maps: Tensor, threshold: float) -> Tensor:
    """The component of {map >= threshold * maximum} that holds the maximum, for each map.

    Args:
        maps: [M, h, w], not negative.
        threshold: Share of each map's maximum.

    Returns:
        [M, h, w] bool; where several cells have the maximum, the components of all of them.
    """
    if len(maps) == 0:
        return maps.bool()
    peak = maps.amax((1, 2), keepdim=True)
    allowed = (maps >= threshold * peak) & (peak > 0)
    number = components_by_scanning if maps.device.type == 'cpu' else components_by_hooking
    numbers, at_peak = number(allowed), (allowed & (maps == peak)).flatten(1).byte()
    table = at_peak.new_zeros(len(maps), 1 + at_peak.shape[1])
    chosen = table.scatter_reduce(1, numbers, at_peak, 'amax')
    return (chosen.gather(1, numbers) > 0).view_as(allowed) & allowed
