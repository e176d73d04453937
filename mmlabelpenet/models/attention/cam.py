"""Class activation maps, and the interface of every attention source."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmlabelpenet.registry import MODELS
from mmlabelpenet.structures import Evidence, Maps, grid_size


@MODELS.register_module()
class CAMAttention(BaseModule):
    """Class activation maps of a linear classifier (Zhou et al., CVPR 2016).

    The classifier reads the mean of the features over the image; its weights applied to every
    cell give the maps.

    Args:
        num_classes: C.
        in_channels: Channels of every backbone level.
        strides: Stride of every backbone level.
        levels: Levels that the classifier reads; the finest one gives the grid.
        standardise: Whether channels are divided by the standard deviation of their means over
            images (:meth:`set_spreads`, see ``FeatureStatisticsHook``), so that all of them learn
            at the same rate.
        init_cfg: mmengine's initialisation. Weights start from zero by default: a linear
            classifier needs no broken symmetry.
    """

    def __init__(
        self,
        num_classes: int,
        in_channels: Sequence[int],
        strides: Sequence[int],
        levels: Sequence[int] = (-1,),
        standardise: bool = False,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg or dict(type='Constant', layer='Conv2d', val=0))
        self.levels = tuple(level % len(in_channels) for level in levels)
        self.level_strides = tuple(strides[level] for level in self.levels)
        self.stride = min(self.level_strides)
        self.classifiers = nn.ModuleList(
            nn.Conv2d(in_channels[level], num_classes, 1, bias=False) for level in self.levels
        )
        self.bias = nn.Parameter(torch.zeros(num_classes))
        self.standardise = standardise
        for index, level in enumerate(self.levels if standardise else ()):
            self.register_buffer(f'spread_{index}', torch.ones(in_channels[level]))

    @torch.no_grad()
    def set_spreads(self, spreads: Sequence[Tensor]) -> None:
        """Set the spread of the channels.

        Args:
            spreads: For each level that is read, [c]: standard deviation of the channels' means
                over images. Small ones are clamped, so that flat channels are not amplified.
        """
        for index, spread in enumerate(spreads):
            clamped = spread.clamp(min=0.01 * spread.mean().clamp(min=1e-6))
            self.get_buffer(f'spread_{index}').copy_(clamped)

    def use_backbone(self, backbone: nn.Module) -> None:
        """Keep a reference to the backbone, in sources that propagate through its layers."""

    @property
    def weights(self) -> list[Tensor]:
        """Weights [C, c, 1, 1] of the unstandardised channels, one tensor for each level."""
        return [
            classifier.weight / self.get_buffer(f'spread_{index}')[None, :, None, None]
            if self.standardise
            else classifier.weight
            for index, classifier in enumerate(self.classifiers)
        ]

    def image_logits(self, evidence: Sequence[Evidence]) -> Tensor:
        """Logits [B, C] of whole images; padded cells do not count."""
        weights = self.weights
        logits = [
            sum(
                F.linear(cells[0].mean((1, 2)), weight[:, :, 0, 0])
                for weight, cells in zip(weights, self._cells(one))
            )
            for one in evidence
        ]
        return torch.stack([total + self.bias for total in logits])

    def region_logits(self, evidence: Evidence, bboxes: Tensor) -> Tensor:
        """Logits of regions of one image, from the mean of the maps inside each.

        Args:
            evidence: With ``feats``.
            bboxes: [M, 4] xyxy in input pixels.

        Returns:
            [M, C] in float32.
        """
        boxes = bboxes / self.stride
        area = (boxes[:, 2:] - boxes[:, :2]).clamp(min=1e-3).prod(1, keepdim=True)
        return Maps(self.cams(evidence).float(), self.stride).box_sums(bboxes) / area + self.bias

    def cams(self, evidence: Evidence) -> Tensor:
        """Class maps [C, h, w] of one image on the grid of ``stride``, without bias."""
        size = grid_size(evidence.img_shape, self.stride)
        levels = zip(self._cells(evidence), self.weights, self.level_strides)
        return sum(
            Maps(F.conv2d(cells, weight)[0], stride).resample(self.stride, size).values
            for cells, weight, stride in levels
        )

    def _cells(self, evidence: Evidence) -> list[Tensor]:
        """Cells [1, c, h, w] of each level that is read."""
        return [evidence.cells(*pair) for pair in zip(self.levels, self.level_strides)]

    def forward(self, evidence: Evidence) -> Maps:
        """Attention maps [C, h, w] of one image in 0..1, each class divided by its maximum."""
        return Maps(self.cams(evidence).relu(), self.stride).normalise()
