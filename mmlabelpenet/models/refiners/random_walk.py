"""Refinement of attention by a random walk over the affinities of backbone features."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from mmlabelpenet.registry import MODELS
from mmlabelpenet.structures import Evidence, Maps, grid_size
from mmlabelpenet.structures.maps import normalise, resample

from .base import Refiner


def feature_affinity(features: Tensor, power: float) -> Tensor:
    """Transition probabilities between the cells of a feature map.

    Args:
        features: [D, h, w].
        power: Exponent of the cosine; a higher one leaves fewer similar cells.

    Returns:
        [h * w, h * w], relu(cos)^power of the centred features, rows summing to 1; cells of
        equal features have equal probabilities.
    """
    vectors = features.flatten(1).t().float()
    vectors = F.normalize(vectors - vectors.mean(0), dim=1)
    affinity = F.relu(vectors @ vectors.t())
    # Squaring twice is ten times faster than a general power on a CPU.
    affinity = affinity.square_().square_() if power == 4 else affinity.pow_(power)
    # A small affinity for every pair: a cell of zero features resembles all others.
    affinity.add_(1e-8)
    return affinity.div_(affinity.sum(1, keepdim=True))


@MODELS.register_module()
class RandomWalk(Refiner):
    """Spreads attention over cells of similar features (idea of AffinityNet, CVPR 2018).

    A cell's new attention is the mean of the attention of the cells that it resembles, so
    maps fill the object that they touch and leave the background that they leaked into.

    Args:
        strides: Stride of every backbone level.
        levels: Levels whose features, brought to the first one's grid, are compared.
        power: Exponent of the cosine similarity.
        steps: Number of steps; 0 only resamples the maps.
        scales: Sizes of the grid relative to that of the first level; the maps after a walk on
            each of them are averaged.
        max_cells: Greatest number of cells of a grid; a larger one is reduced. The affinity is a
            matrix of all pairs of cells (4,096 cells: 67 MB).
    """

    def __init__(
        self,
        strides: Sequence[int],
        levels: Sequence[int] = (1,),
        power: float = 4.0,
        steps: int = 3,
        scales: Sequence[float] = (1.0,),
        max_cells: int = 4096,
    ) -> None:
        super().__init__()
        self.levels = tuple(levels)
        self.level_strides = tuple(strides[level] for level in self.levels)
        self.stride = self.level_strides[0]
        self.power = power
        self.steps = steps
        self.scales = tuple(scales)
        self.max_cells = max_cells

    def forward(self, evidence: Evidence, maps: Maps) -> Maps:
        """Refine the maps of one image by its ``feats``; see :class:`Refiner`."""
        maps = maps.resample(self.stride, grid_size(evidence.img_shape, self.stride))
        if self.steps:
            # Half precision would spoil the sums over cells, here and in all that follows.
            with torch.autocast(maps.values.device.type, enabled=False):
                features = self._features(evidence)
                walks = [self._walk(features, maps.values, scale) for scale in self.scales]
                maps = Maps(torch.stack(walks).mean(0), self.stride)
        return maps.normalise()

    def _walk(self, features: Tensor, maps: Tensor, scale: float) -> Tensor:
        """Walk on a grid of another size, and resample the result."""
        height, width = maps.shape[1:]
        scale = min(scale, (self.max_cells / (height * width)) ** 0.5)
        size = (max(round(height * scale), 1), max(round(width * scale), 1))
        affinity = feature_affinity(_resize(features, size), self.power)
        walked = _resize(maps, size).flatten(1)
        for _ in range(self.steps):
            walked = walked @ affinity.t()
        return _resize(normalise(walked.unflatten(1, size)), (height, width))

    def _features(self, evidence: Evidence) -> Tensor:
        """Features [D, h, w] of the levels, concatenated on the first one's grid."""
        size = grid_size(evidence.img_shape, self.stride)
        cells = [evidence.cells(*pair).float() for pair in zip(self.levels, self.level_strides)]
        # Levels have the same weight, whatever their number of channels and their scale.
        unit = [F.normalize(x - x.mean((2, 3), keepdim=True), dim=1) for x in cells]
        return torch.cat(
            [
                resample(x, stride, self.stride, size)[0]
                for x, stride in zip(unit, self.level_strides)
            ]
        )


def _resize(maps: Tensor, size: tuple[int, int]) -> Tensor:
    if maps.shape[1:] == size:
        return maps
    return F.interpolate(maps[None], size, mode='bilinear', align_corners=False)[0]
