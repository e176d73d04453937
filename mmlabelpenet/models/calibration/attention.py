"""Sources of attention: where in an image the evidence of a class lies."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmlabelpenet.registry import MODELS
from mmlabelpenet.structures import Evidence

from ..grids import normalise, resample, valid_cells
from .energy import box_sums


def mean_attention(evidence: Evidence, views: Sequence[Evidence]) -> tuple[Tensor, int]:
    """Mean of the attention of one image over several sizes of it.

    Larger views see finer: their cells are kept apart by a grid of a half, a third, ... of the
    stride.

    Args:
        evidence: With ``attention`` [C, h, w] and its ``attention_stride``.
        views: The same image at other sizes, each with attention of its own.

    Returns:
        [C, h', w'] in 0..1, each size counting alike, each class divided by its maximum, and the
        stride of its grid.
    """
    seen = [(one, one.img_shape[0] / evidence.img_shape[0]) for one in (evidence, *views)]
    finest = min(one.attention_stride / scale for one, scale in seen)
    whole = evidence.attention_stride
    fitting = (s for s in range(1, whole + 1) if whole % s == 0 and s <= finest + 1e-3)
    stride = max(fitting, default=1)
    size = valid_cells(evidence.img_shape, stride)
    maps = [
        normalise(resample(one.attention[None], one.attention_stride / scale, stride, size)[0])
        for one, scale in seen
    ]
    return normalise(torch.stack(maps).mean(0)), stride


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
        standardise: Whether channels are divided by how much their means differ between images
            (:meth:`start_from`, see ``FeatureStatisticsHook``), so that all of them learn alike.
        init_cfg: mmengine's initialisation.
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
        super().__init__(init_cfg)
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

    def init_weights(self) -> None:
        """Start from zero maps: a linear classifier needs no broken symmetry."""
        super().init_weights()
        for classifier in self.classifiers:
            nn.init.zeros_(classifier.weight)

    @torch.no_grad()
    def start_from(self, spreads: Sequence[Tensor]) -> None:
        """Say by how much channels differ.

        Args:
            spreads: For each level that is read, [c]: standard deviation of the channels' means
                over images. Channels that hardly differ are not blown up.
        """
        for index, spread in enumerate(spreads):
            least = 0.01 * spread.mean().clamp(min=1e-6)
            self.get_buffer(f'spread_{index}').copy_(spread.clamp(min=least))

    @property
    def weights(self) -> list[Tensor]:
        """What the classifier gives to a channel of each level as it is: [C, c, 1, 1] each."""
        weights = [classifier.weight for classifier in self.classifiers]
        if not self.standardise:
            return weights
        return [
            weight / self.get_buffer(f'spread_{index}')[None, :, None, None]
            for index, weight in enumerate(weights)
        ]

    def image_logits(self, feats: Sequence[Tensor], img_shapes: Sequence[tuple]) -> Tensor:
        """Logits of the whole images.

        Args:
            feats: Backbone maps of B images.
            img_shapes: For each image (h, w) without padding; padded cells do not count.

        Returns:
            [B, C].
        """
        logits, levels = [], list(self._levels())
        for index, shape in enumerate(img_shapes):
            total: Tensor | float = 0.0
            for level, stride, weight in levels:
                rows, columns = valid_cells(shape, stride)
                mean = feats[level][index, :, :rows, :columns].mean((1, 2))
                total = total + F.linear(mean, weight[:, :, 0, 0])
            logits.append(total + self.bias)
        return torch.stack(logits)

    def region_logits(
        self, feats: Sequence[Tensor], index: int, img_shape: Sequence[int], bboxes: Tensor
    ) -> Tensor:
        """Logits of regions of one image, from the mean of the maps inside each.

        Args:
            feats: Backbone maps of a batch.
            index: Which image of the batch it is.
            img_shape: Its (h, w) without padding.
            bboxes: [M, 4] xyxy in input pixels.

        Returns:
            [M, C] in float32.
        """
        size = valid_cells(img_shape, self.stride)
        maps = self._maps(feats, index, img_shape, size).float()
        boxes = bboxes / self.stride
        area = (boxes[:, 2:] - boxes[:, :2]).clamp(min=1e-3).prod(1, keepdim=True)
        return box_sums(maps, boxes) / area + self.bias

    def _maps(
        self, feats: Sequence[Tensor], index: int, img_shape: Sequence[int], size: tuple[int, int]
    ) -> Tensor:
        """Class maps [C, h, w] of one image, signed and without bias."""
        total: Tensor | float = 0.0
        for level, stride, weight in self._levels():
            rows, columns = valid_cells(img_shape, stride)
            cam = F.conv2d(feats[level][index : index + 1, :, :rows, :columns], weight).float()
            total = total + resample(cam, stride, self.stride, size)[0]
        return total

    def _levels(self) -> zip:
        return zip(self.levels, self.level_strides, self.weights)

    def forward(self, feats: Sequence[Tensor], evidence: Sequence[Evidence]) -> list[Tensor]:
        """Attention maps of a batch.

        Args:
            feats: Backbone maps of B images.
            evidence: Their evidence, of which ``img_shape`` is read.

        Returns:
            For each image [C, h, w] in 0..1 on the grid of :attr:`stride`, each class divided
            by its maximum.
        """
        maps = []
        for index, one in enumerate(evidence):
            size = valid_cells(one.img_shape, self.stride)
            maps.append(normalise(F.relu(self._maps(feats, index, one.img_shape, size))))
        return maps
