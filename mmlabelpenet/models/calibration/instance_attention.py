"""Attention of single instances, and connected parts of maps."""

from torch import Tensor

from mmlabelpenet.structures.components import components
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
    numbers, at_peak = components(allowed), (allowed & (maps == peak)).flatten(1).byte()
    table = at_peak.new_zeros(len(maps), 1 + at_peak.shape[1])
    chosen = table.scatter_reduce(1, numbers, at_peak, 'amax')
    return (chosen.gather(1, numbers) > 0).view_as(allowed) & allowed
