"""Semantic attention: a classifier of cells, supervised by calibrated attention."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from mmlabelpenet.registry import MODELS
from mmlabelpenet.structures import Evidence, Maps

from .cam import CAMAttention


@MODELS.register_module()
class SemanticAttention(CAMAttention):
    """A linear classifier of every cell into the classes and the background.

    The map of one image mistakes background that often occurs with a class for the class, and
    stops where the evidence of the image is weak. Such errors differ between images more than the
    class does. A classifier that fits the calibrated maps of all images, with the background as a
    class of its own and all classes competing, keeps what they share. This is self-training as
    in weakly supervised semantic segmentation (e.g. Ahn and Kwak, CVPR 2018, last step); it is
    not a part of Label-PEnet as published. ``SemanticStage`` trains it.

    Args:
        num_classes: C, to which the background is added.
        in_channels: Channels of every backbone level.
        strides: Stride of every backbone level.
        levels: Levels that the classifier reads; the finest one gives the grid.
        standardise: As of :class:`CAMAttention`.
        foreground: Least instance attention of a cell that is labelled as its class.
        background: Greatest attention, of instances and of tagged classes, of a cell that is
            labelled as background; cells in between are ignored.
        init_cfg: mmengine's initialisation.
    """

    def __init__(
        self,
        num_classes: int,
        in_channels: Sequence[int],
        strides: Sequence[int],
        levels: Sequence[int] = (-1,),
        standardise: bool = False,
        foreground: float = 0.5,
        background: float = 0.3,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(num_classes + 1, in_channels, strides, levels, standardise, init_cfg)
        self.num_classes = num_classes
        self.foreground = foreground
        self.background = background

    def cell_logits(self, evidence: Evidence) -> Tensor:
        """Logits [C + 1, h, w] of one image's cells in float32, the background last."""
        return self.cams(evidence).float() + self.bias[:, None, None]

    @torch.no_grad()
    def forward(self, evidence: Evidence) -> Maps:
        """Probability of each class above chance, cell by cell.

        Args:
            evidence: With ``feats`` and, where they are known, ``tags``: then only tagged classes
                compete for the cells.

        Returns:
            [C, h, w] in 0..1; all zero before any training.
        """
        logits = self.cell_logits(evidence)
        possible = torch.ones_like(logits[:, :1, :1], dtype=torch.bool)
        if 'tags' in evidence:
            known = evidence.get('known', torch.ones_like(evidence.tags))
            possible[:-1, 0, 0] = (evidence.tags > 0) | (known == 0)
        logits = logits.masked_fill(~possible, float('-inf'))
        return Maps(F.relu(logits.softmax(0)[:-1] - 1 / possible.sum()), self.stride)

    def loss(self, evidence: Sequence[Evidence]) -> Tensor:
        """Cross-entropy of the cells that calibrated attention labels.

        Each class of an image and its background have the same weight, however many cells they
        have; a pseudo instance counts by its weight. Further ``scales`` count as images do.

        Args:
            evidence: After the calibration, with ``tags``, ``attention``, ``pseudo_instances``.

        Returns:
            A scalar.
        """
        return torch.stack(
            [
                self._image_loss(scaled, one)
                for one in evidence
                for scaled in (one, *one.get('scales', ()))
            ]
        ).mean()

    def _image_loss(self, image: Evidence, evidence: Evidence) -> Tensor:
        """Loss of an image at some scale, labelled by the evidence of the input."""
        logits, scale = self.cell_logits(image), image.img_shape[0] / evidence.img_shape[0]
        labels, weights = self.targets(evidence, scale, logits.shape[-2:])
        decided = F.one_hot(labels, len(logits)) * (weights > 0)[..., None]
        counts = decided.sum((0, 1))
        loss = F.cross_entropy(logits[None], labels[None], reduction='none')[0]
        loss = loss * weights / counts.clamp(min=1)[labels]
        return loss.sum() / (counts > 0).sum().clamp(min=1)

    @torch.no_grad()
    def targets(
        self, evidence: Evidence, scale: float, size: Sequence[int]
    ) -> tuple[Tensor, Tensor]:
        """Labels of an image's cells by its calibrated attention.

        Args:
            evidence: As of :meth:`loss`.
            scale: Sides of the image whose cells are labelled, relative to the evidence's image.
            size: (h, w) of its grid.

        Returns:
            Labels [h, w], C for background, and their weights [h, w], 0 for ignored cells.
        """
        pseudo, stride = evidence.pseudo_instances, self.stride / scale
        maps = evidence.instance_maps().resample(stride, size).values
        maps = maps * (pseudo.weights > 0)[:, None, None]
        # The background comes first: it wins cells without any attention.
        own, winner = F.pad(maps, (0, 0, 0, 0, 1, 0)).max(0)
        claims = evidence.attention.resample(stride, size).values
        claims = (claims * (evidence.tags > 0)[:, None, None]).amax(0)
        foreground = own >= self.foreground
        background = (own <= self.background) & (claims <= self.background)
        background &= (evidence.get('known', torch.ones_like(evidence.tags)) > 0).all()
        labels = F.pad(pseudo.labels, (1, 0), value=self.num_classes)[winner]
        weights = F.pad(pseudo.weights.to(own), (1, 0), value=1.0)[winner]
        labels = labels.where(foreground, self.num_classes)
        return labels, torch.where(foreground, weights, background.to(weights))
