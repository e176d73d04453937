"""Key pixels of regions: excitation from a class unit of a region back to the maps.

Mass passes the classifier, the fully connected layers, the region pooling and the fusion of
levels. The normaliser of a layer depends on the region alone, so all (region, class) pairs of an
image pass each layer together; only the pooling gives each pair a map of its own.
"""

from collections.abc import Sequence
from functools import partial

import torch
import torch.nn.functional as F
from mmcv.ops import RoIPool
from torch import Tensor, nn

from ..heads import RoIFeatures
from .excitation_backprop import TINY, excite_linear, excite_sum, positive_layer

# Greatest number of pairs in one pass through a max pooling.
PAIRS_OF_MAXIMA = 8


def excite_fc(weight: Tensor, activations: Tensor, regions: Tensor, mass: Tensor) -> Tensor:
    """Propagate mass back through a fully connected layer, for each pair by its own region.

    Args:
        weight: [out, in] of the layer; negative weights excite nothing.
        activations: [N, in], input of the layer for each region.
        regions: [K], the region of each pair.
        mass: [K, out].

    Returns:
        [K, in], each of the K with the sum that it came with.
    """
    weight = weight.detach().float().clamp(min=TINY)
    activations = activations.float().clamp(min=TINY)
    shares = mass / (activations @ weight.t())[regions]
    return (shares @ weight) * activations[regions]


def rois_of_own_images(bboxes: Tensor) -> Tensor:
    """Rois [K, 5] of boxes [K, 4] in a batch of K images, one of each image."""
    indices = torch.arange(len(bboxes), device=bboxes.device, dtype=bboxes.dtype)
    return torch.cat([indices[:, None], bboxes], dim=1)


def excite_pooling(
    layer: nn.Module, fused: Tensor, bboxes: Tensor, mass: Tensor, maximum: bool = False
) -> Tensor:
    """Propagate mass from the cells of pooled regions back to the map they were pooled from.

    Args:
        layer: Region pooling of a map [B, c, h, w] over rois [K, 5].
        fused: The map [1, c, h, w].
        bboxes: [K, 4] xyxy in input pixels, the region of each pair.
        mass: [K, c, s, s].
        maximum: Whether the pooling selects single cells, which then get all the mass (the
            ordinary adjoint); an average distributes it by the values of the cells.

    Returns:
        [K, c, h, w], each with the sum that it came with.
    """
    start = fused.detach().float()
    start = start if maximum else start.clamp(min=0) + TINY
    # Each pair has a copy of the map as its own image of a batch, so that the one backward
    # pass keeps the pairs apart.
    with torch.enable_grad():
        maps = start.expand(len(mass), -1, -1, -1).contiguous().requires_grad_()
        pooled = layer(maps, rois_of_own_images(bboxes).float())
        total = pooled.detach().clamp(min=torch.finfo(pooled.dtype).tiny)
        shares = mass if maximum else mass / total
        (pulled,) = torch.autograd.grad(pooled, maps, shares.contiguous())
    return pulled if maximum else start * pulled


def excite_pooling_summed(
    layer: nn.Module, fused: Tensor, bboxes: Tensor, mass: Tensor, maximum: bool = False
) -> Tensor:
    """:func:`excite_pooling` summed over channels, which is faster for an average.

    The weight of a pixel in a cell of a region is the same in all channels. It is computed once
    for each cell (s * s channels instead of c); the values of the channels follow by a product.

    Args:
        layer: As of :func:`excite_pooling`, and so are all others.
        fused: [1, c, h, w].
        bboxes: [K, 4].
        mass: [K, c, s, s].
        maximum: The selected cells differ between channels: the sum is computed plainly.

    Returns:
        [K, h, w], each with the sum that it came with.
    """
    if maximum:
        return excite_pooling(layer, fused, bboxes, mass, maximum).sum(1)
    cells, rois = mass[0, 0].numel(), bboxes.float()
    start = fused.detach().float().clamp(min=0) + TINY
    pooled = layer(start, F.pad(rois, (1, 0)))
    shares = (mass / pooled.clamp(min=torch.finfo(pooled.dtype).tiny)).flatten(2)
    with torch.enable_grad():
        maps = start.new_zeros(len(mass), cells, *start.shape[2:], requires_grad=True)
        taken = layer(maps, rois_of_own_images(rois))
        own = torch.eye(cells, device=taken.device, dtype=taken.dtype).view(1, *taken.shape[1:])
        (weights,) = torch.autograd.grad(taken, maps, own.expand(taken.shape).contiguous())
    held = start[0].flatten(1).t() @ shares
    return (weights.flatten(2) * held.transpose(1, 2)).sum(1).unflatten(1, start.shape[2:])


class RegionExcitation:
    """A recorded forward pass of regions, for propagating mass back to the maps.

    Args:
        roi_features: From maps to region vectors.
        feats: Backbone maps of one image, each [1, c, h, w].
        bboxes: [N, 4] xyxy in input pixels.
        chunk_size: Number of pairs in one pass through the pooling.

    Attributes:
        vectors: [N, D], which the classifier of regions reads.

    Raises:
        ValueError: If the features are means over regions, which have no key pixels.
    """

    def __init__(
        self,
        roi_features: RoIFeatures,
        feats: Sequence[Tensor],
        bboxes: Tensor,
        chunk_size: int = 64,
    ) -> None:
        if roi_features.with_avg_pool:
            raise ValueError('key pixels need region features without with_avg_pool')
        self.fusion = roi_features.fusion
        self.layer = roi_features.extractor.roi_layers[0]
        self.maximum = (
            isinstance(self.layer, RoIPool) or getattr(self.layer, 'pool_mode', 'avg') == 'max'
        )
        self.feats = [one.detach().float() for one in feats]
        self.bboxes = bboxes
        # Max pooling selects other cells in each channel: a pair needs maps of all channels.
        self.chunk_size = min(chunk_size, PAIRS_OF_MAXIMA) if self.maximum else chunk_size
        self.linears = [layer for layer in roi_features.fcs if isinstance(layer, nn.Linear)]
        with torch.no_grad(), torch.autocast(bboxes.device.type, enabled=False):
            self.fused = self.fusion(self.feats)
            self.pooled = self.layer(self.fused, F.pad(bboxes.float(), (1, 0)))
            self.activations = [self.pooled.flatten(1)]
            for linear in self.linears:
                self.activations.append(F.relu(linear(self.activations[-1])))
        self.vectors = self.activations[-1]

    @torch.no_grad()
    def key_pixels(
        self, weights: Tensor, regions: Tensor, contrastive: bool = False, to_levels: bool = False
    ) -> Tensor | list[Tensor]:
        """Locate the evidence of (region, class) pairs.

        Args:
            weights: [K, D], the classifier's weights of each pair's class.
            regions: [K], each pair's region.
            contrastive: Whether to subtract, at the vectors, the mass of the classifier with its
                weights negated.
            to_levels: Whether to propagate on through the fusion.

        Returns:
            Maps [K, h, w] on the grid of the fusion, each of sum 1 (0 where contrastive, negative
            cells left in: clamp them last); or, for each level that the fusion reads, a mass
            [K, c, h', w'].
        """
        with torch.autocast(weights.device.type, enabled=False):
            mass = self._top(weights.float(), regions)
            if contrastive:
                mass = mass - self._top(-weights.float(), regions)
            for linear, below in zip(reversed(self.linears), reversed(self.activations[:-1])):
                mass = excite_fc(linear.weight, below, regions, mass)
            mass = mass.view(-1, *self.pooled.shape[1:])
            found = [
                self._to_maps(*part, to_levels)
                for part in zip(
                    mass.split(self.chunk_size), self.bboxes[regions].split(self.chunk_size)
                )
            ]
            if to_levels:
                return [torch.cat(level) for level in zip(*found)]
            return torch.cat(found)

    def _top(self, weights: Tensor, regions: Tensor) -> Tensor:
        mass = (self.vectors + TINY)[regions] * (weights.clamp(min=0) + TINY)
        return mass / mass.sum(1, keepdim=True)

    def _to_maps(self, mass: Tensor, bboxes: Tensor, to_levels: bool) -> Tensor | list[Tensor]:
        way = excite_pooling if to_levels else excite_pooling_summed
        landed = way(self.layer, self.fused, bboxes, mass, self.maximum)
        return self._to_levels(landed) if to_levels else landed

    def _to_levels(self, mass: Tensor) -> list[Tensor]:
        """Split mass [K, c, h, w] at the fused map among the levels; its norm is folded in."""
        if len(self.fusion.projections) == 0:
            return [mass]
        layers = [
            positive_layer(conv, self.fusion.norm.weight) for conv in self.fusion.projections
        ]
        inputs = [self.feats[level].clamp(min=0) + TINY for level in self.fusion.levels]
        grids = [layer(x) for layer, x in zip(layers, inputs)]
        resized = [self.fusion.resize(x, scale) for x, scale in zip(grids, self.fusion.scales)]
        parts, rest = [], sum(resized)
        for one in resized[:-1]:
            rest = rest - one
            part, mass = excite_sum(one, rest, mass)
            parts.append(part)
        unsized = [
            part
            if scale == 1
            else excite_linear(partial(self.fusion.resize, scale=scale), grid, part)
            for part, grid, scale in zip([*parts, mass], grids, self.fusion.scales)
        ]
        return [excite_linear(layer, x, part) for layer, x, part in zip(layers, inputs, unsized)]
