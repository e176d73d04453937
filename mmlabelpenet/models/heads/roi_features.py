"""From a pyramid of backbone maps to one vector or one small map for each region."""

import operator
from collections.abc import Sequence
from functools import reduce
from itertools import chain, pairwise

import torch
import torch.nn.functional as F
from mmdet.structures.bbox import bbox_rescale
from mmengine.model import BaseModule, Sequential
from torch import Tensor, nn

from mmlabelpenet.registry import MODELS


class ChannelNorm(nn.LayerNorm):
    """Layer norm over the channels of every cell, so that padding can't leak into an image."""

    def forward(self, x: Tensor) -> Tensor:
        """Normalise [B, C, h, w] over C."""
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


@MODELS.register_module()
class LevelFusion(BaseModule):
    """Backbone levels, projected, brought to one stride and summed.

    The sum of projections equals a projection of the concatenated levels, at less cost.

    Args:
        in_channels: Channels of every backbone level.
        strides: Stride of every backbone level in pixels.
        levels: Which levels to use; all where it is None.
        out_channels: Channels after projection; None passes one single level on as it is.
        out_stride: Stride of the result, that of the finest used level where it is None.
        init_cfg: mmengine's initialisation.

    Raises:
        ValueError: If several levels, or one at another stride, shall be passed on without a
            projection.
    """

    def __init__(
        self,
        in_channels: Sequence[int],
        strides: Sequence[int],
        levels: Sequence[int] | None = None,
        out_channels: int | None = 160,
        out_stride: int | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        self.levels = tuple(range(len(in_channels)) if levels is None else levels)
        used = [in_channels[level] for level in self.levels]
        self.level_strides = tuple(strides[level] for level in self.levels)
        self.stride = out_stride or min(self.level_strides)
        self.scales = tuple(stride / self.stride for stride in self.level_strides)
        if out_channels is None and self.scales != (1,):
            raise ValueError(f'levels {self.levels} need out_channels to be summed or resized')
        self.out_channels = out_channels or used[0]
        self.projections = nn.ModuleList()
        if out_channels is not None:
            self.projections.extend(nn.Conv2d(channels, out_channels, 1) for channels in used)
            self.norm = ChannelNorm(out_channels)

    def forward(self, feats: Sequence[Tensor]) -> Tensor:
        """Fuse the levels.

        Args:
            feats: Backbone maps, each [B, in_channels, H / stride, W / stride].

        Returns:
            [B, out_channels, H / out_stride, W / out_stride], contiguous float32: mmcv's
            RoIAlign reads other memory formats wrongly and knows no bfloat16.
        """
        if not self.projections:
            return feats[self.levels[0]].float().contiguous()
        levels = zip(self.levels, self.scales, self.projections)
        resized = (self.resize(project(feats[level]), scale) for level, scale, project in levels)
        return F.relu(self.norm(reduce(operator.add, resized))).float().contiguous()

    @torch.no_grad()
    def init_from_moments(self, moments: Sequence[tuple[Tensor, Tensor]]) -> None:
        """Initialise the projections with principal components.

        Each level has output channels of its own, so that components of two levels do not mix;
        the first component has unit variance.

        Args:
            moments: For each used level the mean [c] and the covariance [c, c] of its cells.
        """
        begin = 0
        left = range(len(self.projections), 0, -1)
        for projection, (mean, covariance), levels in zip(self.projections, moments, left):
            count = min((self.out_channels - begin) // levels, len(mean))
            values, vectors = torch.linalg.eigh(covariance)
            components = vectors.flip(1)[:, :count].t() / values[-1].clamp(min=1e-12).sqrt()
            # The sign of a component is the solver's choice.
            components *= components.sum(1, keepdim=True).sign()
            weight = projection.weight.zero_()[:, :, 0, 0]
            weight[begin : begin + count] = components
            projection.bias.copy_(-weight @ mean.to(weight))
            begin += count

    @staticmethod
    def resize(x: Tensor, scale: float) -> Tensor:
        """Bring a map [B, c, h, w] to the common stride, bilinearly."""
        if scale == 1:
            return x
        return F.interpolate(x, scale_factor=scale, mode='bilinear', align_corners=False)


@MODELS.register_module()
class RoIFeatures(BaseModule):
    """Fused levels, RoIAlign and fully connected layers: one vector for each region.

    Args:
        fusion: Arguments of :class:`LevelFusion`.
        roi_size: Side of the RoIAlign grid.
        roi_layer: Config of mmcv's region pooling, without its size.
        fc_channels: Width of each fully connected layer (fc6 and fc7 of VGG16 are 4096 wide).
        num_fcs: Number of fully connected layers.
        dropout: Dropout after each of them.
        context: Sides of the outer boxes of rings around regions, relative to the regions'; None
            supports no rings.
        with_avg_pool: Whether the fully connected layers read the mean over the grid instead of
            all its cells. The mean over a ring leaves the cells of the region out, so that regions
            and rings are pooled alike.
        chunk_size: Number of regions in one pass without gradient, so that any number of
            proposals needs the memory of one chunk.
        fc_init_cfg: Initialisation of the fully connected layers, e.g. the ``classifier`` of
            ImageNet's VGG16 (its fc6 and fc7).
        init_cfg: mmengine's initialisation.
    """

    def __init__(
        self,
        fusion: dict,
        roi_size: int = 5,
        roi_layer: dict | None = None,
        fc_channels: int = 1024,
        num_fcs: int = 2,
        dropout: float = 0.0,
        context: float | None = None,
        with_avg_pool: bool = False,
        chunk_size: int = 1000,
        fc_init_cfg: dict | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        self.fusion = LevelFusion(**fusion)
        self.extractor = build_extractor(self.fusion, roi_size, roi_layer)
        self.context = context
        if context is not None:
            self.register_buffer('ring', ring_of(roi_size, context), persistent=False)
        self.with_avg_pool = with_avg_pool
        self.chunk_size = chunk_size
        self.out_channels = fc_channels
        cells = 1 if with_avg_pool else roi_size**2
        widths = [self.fusion.out_channels * cells] + [fc_channels] * num_fcs
        layers = [(nn.Linear(*pair), nn.ReLU(), nn.Dropout(dropout)) for pair in pairwise(widths)]
        self.fcs = Sequential(*chain.from_iterable(layers), init_cfg=fc_init_cfg)

    def forward(self, feats: Sequence[Tensor], rois: Tensor, around: bool = False) -> Tensor:
        """Vectors of regions, or of the rings around them.

        Args:
            feats: Backbone maps of a batch.
            rois: [K, 5], index in the batch and xyxy in input pixels.
            around: Whether to read the rings, which needs a ``context``.

        Returns:
            [K, fc_channels].
        """
        fused = self.fusion(feats)
        rois = bbox_rescale(rois, self.context) if around else rois
        chunks = [rois] if torch.is_grad_enabled() else rois.split(self.chunk_size)
        pooled = (self.extractor((fused,), chunk) for chunk in chunks)
        vectors = [self.fcs(self._flat(x * self.ring if around else x, around)) for x in pooled]
        return vectors[0] if len(vectors) == 1 else torch.cat(vectors)

    def _flat(self, pooled: Tensor, around: bool) -> Tensor:
        """Inputs of the fully connected layers from grids [K, c, s, s], of rings with zeros."""
        if not self.with_avg_pool:
            return pooled.flatten(1)
        means = pooled.mean((2, 3))
        return means / self.ring.mean() if around else means


def ring_of(roi_size: int, context: float) -> Tensor:
    """Cells of a grid over a region's surroundings that lie around the region.

    Args:
        roi_size: Side of the grid.
        context: Sides of the surrounding box over those of the region.

    Returns:
        [roi_size, roi_size], 0 for cells whose centre is in the region, else 1.

    Raises:
        ValueError: If all are in it.
    """
    centres = (torch.arange(roi_size) + 0.5) / roi_size - 0.5
    outside = (centres * context).abs() > 0.5
    if not outside.any():
        raise ValueError(f'a grid of {roi_size} cells has none around a region at {context=}')
    return (outside[:, None] | outside).float()


def build_extractor(
    fusion: LevelFusion, roi_size: int, roi_layer: dict | None = None
) -> nn.Module:
    """Mmdet's region extractor, RoIAlign by default, for the one map that ``fusion`` gives."""
    return MODELS.build(
        dict(
            type='mmdet.SingleRoIExtractor',
            roi_layer=dict(
                roi_layer or dict(type='RoIAlign', sampling_ratio=2), output_size=roi_size
            ),
            out_channels=fusion.out_channels,
            featmap_strides=[fusion.stride],
        )
    )
