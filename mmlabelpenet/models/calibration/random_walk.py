"""Sharpening of attention by a random walk over the affinities of backbone features."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor

from mmlabelpenet.registry import MODELS

from ..grids import normalise, resample, valid_cells


def feature_affinity(features: Tensor, power: float) -> Tensor:
    """Transition probabilities between the cells of a feature map.

    Args:
        features: [D, h, w].
        power: Exponent of the cosine; the higher, the fewer cells are alike.

    Returns:
        [h * w, h * w], relu(cos)^power of the centred features, rows summing to 1; where
        nothing tells cells apart, all are alike.
    """
    vectors = features.flatten(1).t().float()
    vectors = F.normalize(vectors - vectors.mean(0), dim=1)
    affinity = F.relu(vectors @ vectors.t())
    # Squaring twice is ten times faster than a general power on a CPU.
    affinity = affinity.square_().square_() if power == 4 else affinity.pow_(power)
    # The least bit for every pair: a cell without features of its own resembles all others.
    affinity.add_(1e-8)
    return affinity.div_(affinity.sum(1, keepdim=True))


@MODELS.register_module()
class RandomWalk(BaseModule):
    """Spreads attention over cells whose features are alike (METHOD 3.3; idea of AffinityNet).

    A cell's new attention is the mean of the attention of the cells that it resembles, so
    maps fill the object that they touch and leave the background that they leaked into.

    Args:
        strides: Stride of every backbone level.
        levels: Levels whose features, brought to the first one's grid, tell what is alike.
        power: Exponent of the cosine similarity.
        steps: Number of steps; 0 leaves the maps as they are but for the grid.
        scales: Sizes of the grid relative to that of the first level; the maps after a walk on
            each of them are averaged.
    """

    def __init__(
        self,
        strides: Sequence[int],
        levels: Sequence[int] = (1,),
        power: float = 4.0,
        steps: int = 3,
        scales: Sequence[float] = (1.0,),
    ) -> None:
        super().__init__()
        self.levels = tuple(levels)
        self.strides = tuple(strides)
        self.stride = strides[self.levels[0]]
        self.power = power
        self.steps = steps
        self.scales = tuple(scales)

    def forward(
        self,
        feats: Sequence[Tensor],
        index: int,
        attention: Tensor,
        stride: int,
        img_shape: Sequence[int],
    ) -> Tensor:
        """Sharpen the maps of one image.

        Args:
            feats: Backbone maps of the batch.
            index: Which image of the batch it is.
            attention: [C, h, w].
            stride: Of its grid.
            img_shape: (h, w) of the unpadded image.

        Returns:
            [C, h', w'] in 0..1 on the grid of :attr:`stride`, each class divided by its maximum.
        """
        size = valid_cells(img_shape, self.stride)
        maps = resample(attention[None].float(), stride, self.stride, size)[0]
        if self.steps:
            # Half precision would spoil the sums over cells, here and in all that follows.
            with torch.autocast(maps.device.type, enabled=False):
                features = self._features(feats, index, img_shape)
                maps = torch.stack([self._walk(features, maps, s) for s in self.scales]).mean(0)
        return normalise(maps)

    def _walk(self, features: Tensor, maps: Tensor, scale: float) -> Tensor:
        """Walk on a grid of another size, and come back."""
        height, width = maps.shape[1:]
        if scale != 1:
            size = (max(round(height * scale), 1), max(round(width * scale), 1))
            features, maps = (
                F.interpolate(x[None], size, mode='bilinear', align_corners=False)[0]
                for x in (features, maps)
            )
        affinity = feature_affinity(features, self.power)
        flat = maps.flatten(1)
        for _ in range(self.steps):
            flat = flat @ affinity.t()
        walked = normalise(flat.view_as(maps))
        if scale == 1:
            return walked
        return F.interpolate(walked[None], (height, width), mode='bilinear', align_corners=False)[
            0
        ]

    def _features(self, feats: Sequence[Tensor], index: int, img_shape: Sequence[int]) -> Tensor:
        size = valid_cells(img_shape, self.stride)
        levels = []
        for level in self.levels:
            rows, columns = valid_cells(img_shape, self.strides[level])
            x = feats[level][index : index + 1, :, :rows, :columns].float()
            # Levels count alike, however many channels and whatever scale they have.
            x = F.normalize(x - x.mean((2, 3), keepdim=True), dim=1)
            levels.append(resample(x, self.strides[level], self.stride, size)[0])
        return torch.cat(levels)
