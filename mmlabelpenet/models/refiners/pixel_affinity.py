"""Refinement of maps by the colours of neighbouring pixels."""

from collections.abc import Iterator, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from mmlabelpenet.registry import MODELS
from mmlabelpenet.structures import Evidence, Maps

from .base import Refiner


def neighbours(maps: Tensor, dilations: Sequence[int]) -> Tensor:
    """The eight neighbours of every cell at each distance, borders repeated.

    Args:
        maps: [M, h, w].
        dilations: Distances in cells.

    Returns:
        [M, 8 * len(dilations), h, w].
    """
    return torch.stack(list(shifted(maps, dilations)), dim=1)


def shifted(maps: Tensor, dilations: Sequence[int]) -> Iterator[Tensor]:
    """The maps of :func:`neighbours`, one neighbour after the other: views [M, h, w]."""
    height, width = maps.shape[1:]
    for distance in dilations:
        padded = F.pad(maps[:, None], (distance,) * 4, mode='replicate')[:, 0]
        for top in (0, distance, 2 * distance):
            for left in (0, distance, 2 * distance):
                if not top == left == distance:
                    yield padded[:, top : top + height, left : left + width]


def spread(maps: Tensor, affinity: Tensor, dilations: Sequence[int]) -> Tensor:
    """Mean of each cell's neighbours, weighted by affinity.

    Added up one neighbour after the other: all of them side by side would not fit into a cache.

    Args:
        maps: [M, h, w].
        affinity: As of :func:`colour_affinity`.
        dilations: As of :func:`neighbours`.

    Returns:
        [M, h, w].
    """
    total = torch.zeros_like(maps)
    for neighbour, weight in zip(shifted(maps, dilations), affinity):
        total.addcmul_(neighbour, weight)
    return total


def colour_affinity(image: Tensor, dilations: Sequence[int], tolerance: float) -> Tensor:
    """Similarity of each neighbour's colour to the cell's, summing to 1 over neighbours.

    Differences are divided by the standard deviation of the colours around the cell, so that
    edges have the same effect in parts of low and of high contrast.

    Args:
        image: [3, h, w], in any unit.
        dilations: As of :func:`neighbours`.
        tolerance: Share of the spread that counts as one unit.

    Returns:
        [8 * len(dilations), h, w].
    """
    around = neighbours(image, dilations)
    centre = image[:, None]
    spread = torch.cat([around, centre], dim=1).std(1, keepdim=True)
    difference = (around - centre).abs() / (tolerance * spread + 1e-8)
    return (-difference.mean(0)).softmax(0)


@MODELS.register_module()
class PixelAffinity(Refiner):
    """Aligns maps with colour edges (after PAMR: Araslanov and Roth, CVPR 2020).

    In each step a pixel takes the mean of its neighbours, weighted by the similarity of their
    colours: local like the pairwise term of a CRF, but a few operations on the device.

    Args:
        stride: Of the grid of the refined maps, in pixels of the network input.
        dilations: Distances of neighbours in cells.
        steps: Number of steps.
        tolerance: See :func:`colour_affinity`.
    """

    def __init__(
        self,
        stride: int = 4,
        dilations: Sequence[int] = (1, 2, 4, 8),
        steps: int = 10,
        tolerance: float = 0.1,
    ) -> None:
        super().__init__()
        self.stride = stride
        self.dilations = tuple(dilations)
        self.steps = steps
        self.tolerance = tolerance

    @torch.no_grad()
    def forward(self, evidence: Evidence, maps: Maps) -> Maps:
        """Refine the maps of one image by its colours; see :class:`Refiner`."""
        image = evidence.image
        with torch.autocast(image.device.type, enabled=False):
            colours = cell_colours(image, self.stride)
            affinity = colour_affinity(colours, self.dilations, self.tolerance)
            values = maps.resample(self.stride, colours.shape[1:]).values
            for _ in range(self.steps):
                values = spread(values, affinity, self.dilations)
        return Maps(values, self.stride).normalise()


def cell_colours(image: Tensor, stride: int) -> Tensor:
    """Mean colours [3, h', w'] of the cells of an image [3, h, w]; the border is repeated."""
    below, right = (-side % stride for side in image.shape[1:])
    padded = F.pad(image[None].float(), (0, right, 0, below), mode='replicate')
    return F.avg_pool2d(padded, stride)[0]
