"""Refinement of maps by the colours of neighbouring pixels."""

from collections.abc import Iterator, Sequence
from itertools import product

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
    margin = max(dilations)
    padded = F.pad(maps[:, None], (margin,) * 4, mode='replicate')[:, 0]
    for down, right in offsets(dilations):
        top, left = margin + down, margin + right
        yield padded[:, top : top + height, left : left + width]


def offsets(dilations: Sequence[int]) -> list[tuple[int, int]]:
    """(down, right) in cells of every neighbour, in the order of :func:`neighbours`."""
    steps = [step for step in product((-1, 0, 1), repeat=2) if any(step)]
    return [(distance * down, distance * right) for distance in dilations for down, right in steps]


def places(size: Sequence[int], dilations: Sequence[int], device: torch.device) -> Tensor:
    """Index [8 * len(dilations), h * w] of every neighbour among the cells of a map [h, w]."""
    around = torch.arange(8, device=device)
    around = around + (around >= 4)
    steps = torch.stack([around // 3 - 1, around % 3 - 1])
    moves = torch.cat([distance * steps for distance in dilations], dim=1)
    rows, columns = (
        (torch.arange(count, device=device) + move[:, None]).clamp(0, count - 1)
        for count, move in zip(size, moves)
    )
    return (rows[:, :, None] * size[1] + columns[:, None]).flatten(1)


def spread(maps: Tensor, affinity: Tensor, dilations: Sequence[int], steps: int = 1) -> Tensor:
    """Replace each cell by the mean of its neighbours, weighted by affinity, several times.

    Args:
        maps: [M, h, w].
        affinity: As of :func:`colour_affinity`.
        dilations: As of :func:`neighbours`.
        steps: How many times.

    Returns:
        [M, h, w].
    """
    way = spread_in_cache if maps.device.type == 'cpu' else spread_in_few_kernels
    return way(maps, affinity, dilations, steps)


def spread_in_cache(
    maps: Tensor, affinity: Tensor, dilations: Sequence[int], steps: int
) -> Tensor:
    """:func:`spread` by adding neighbours up: all side by side would not fit into a cache."""
    for _ in range(steps):
        total = torch.zeros_like(maps)
        for neighbour, weight in zip(shifted(maps, dilations), affinity):
            total.addcmul_(neighbour, weight)
        maps = total
    return maps


def spread_in_few_kernels(
    maps: Tensor, affinity: Tensor, dilations: Sequence[int], steps: int
) -> Tensor:
    """:func:`spread` with all neighbours at once, for a GPU that waits for each kernel's start."""
    cells, weights = places(maps.shape[1:], dilations, maps.device), affinity.flatten(1)
    flat = maps.flatten(1)
    for _ in range(steps):
        flat = (flat[:, cells] * weights).sum(1)
    return flat.view_as(maps)


def colour_affinity(
    image: Tensor, dilations: Sequence[int], tolerance: float, least_spread: float = 0.0
) -> Tensor:
    """Similarity of each neighbour's colour to the cell's, summing to 1 over neighbours.

    Differences are divided by the standard deviation of the colours around the cell, so that
    edges have the same effect in parts of low and of high contrast. ``least_spread`` keeps the
    noise of an even ground from counting as edges.

    Args:
        image: [3, h, w], in any unit.
        dilations: As of :func:`neighbours`.
        tolerance: Share of the spread that counts as one unit.
        least_spread: The spread around a cell counts as at least this share of the standard
            deviation of the whole image's colours.

    Returns:
        [8 * len(dilations), h, w].
    """
    difference = neighbours(image, dilations).sub_(image[:, None])
    count = difference.shape[1]
    # Standard deviation of the neighbours and the cell itself, whose own difference is zero.
    total, squares = difference.sum(1), difference.square().sum(1)
    spread = ((squares - total.square() / (count + 1)) / count).clamp_(min=0).sqrt_()
    if least_spread > 0:
        floor = image.std(dim=(1, 2), unbiased=False).mean() * least_spread
        spread = spread.maximum(floor)
    unit = (tolerance * spread + 1e-8)[:, None]
    return difference.abs_().div_(unit).mean(0).neg_().softmax(0)


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
        least_spread: See :func:`colour_affinity`.
    """

    def __init__(
        self,
        stride: int = 4,
        dilations: Sequence[int] = (1, 2, 4, 8),
        steps: int = 10,
        tolerance: float = 0.1,
        least_spread: float = 0.0,
    ) -> None:
        super().__init__()
        self.stride = stride
        self.dilations = tuple(dilations)
        self.steps = steps
        self.tolerance = tolerance
        self.least_spread = least_spread

    @torch.no_grad()
    def forward(self, evidence: Evidence, maps: Maps) -> Maps:
        """Refine the maps of one image by its colours; see :class:`Refiner`."""
        image = evidence.image
        with torch.autocast(image.device.type, enabled=False):
            colours = cell_colours(image, self.stride)
            affinity = colour_affinity(colours, self.dilations, self.tolerance, self.least_spread)
            values = maps.resample(self.stride, colours.shape[1:]).values
            values = spread(values, affinity, self.dilations, self.steps)
        return Maps(values, self.stride).normalise()


def cell_colours(image: Tensor, stride: int) -> Tensor:
    """Mean colours [3, h', w'] of the cells of an image [3, h, w]; the border is repeated."""
    below, right = (-side % stride for side in image.shape[1:])
    padded = F.pad(image[None].float(), (0, right, 0, below), mode='replicate')
    return F.avg_pool2d(padded, stride)[0]
