"""Attention that has learnt from calibrated attention: classes and background, cell by cell."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from mmlabelpenet.registry import MODELS
from mmlabelpenet.structures import Evidence

from ..grids import resample, valid_cells
from .attention import CAMAttention


@MODELS.register_module()
class SemanticAttention(CAMAttention):
    """A linear classifier of every cell, taught by the calibrated attention of all images.

    A map of one image mistakes what always comes along with a class for the class, and stops where
    the image's own evidence is weak. Over many images these faults differ more than the class
    does: a classifier that has to explain all calibrated maps at once, with the background as a
    class of its own and all classes competing, keeps what they agree on. Self-training as in
    weakly supervised semantic segmentation (e.g. Ahn and Kwak, CVPR 2018, last step); not a part
    of Label-PEnet as published.

    Args:
        num_classes: C, to which the background is added.
        in_channels: Channels of every backbone level.
        strides: Stride of every backbone level.
        levels: Levels that the classifier reads; the finest one gives the grid.
        standardise: As of :class:`CAMAttention`.
        foreground: Least value of an instance's attention that teaches its class.
        background: Greatest value, of instances and of tagged classes, that teaches background;
            a cell in between teaches nothing.
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

    def cell_logits(self, feats: Sequence[Tensor], index: int, img_shape: Sequence[int]) -> Tensor:
        """Logits [C + 1, h, w] of one image's cells, the background last, in float32."""
        maps = self._maps(feats, index, img_shape, valid_cells(img_shape, self.stride))
        return maps.float() + self.bias[:, None, None]

    @torch.no_grad()
    def look(self, feats: Sequence[Tensor], index: int, evidence: Evidence) -> Evidence:
        """Probability of each class above chance, cell by cell.

        Args:
            feats: Backbone maps of a batch.
            index: Which image of the batch it is.
            evidence: Its evidence: ``img_shape`` and, where they are known, ``tags``: no other
                class competes for the cells then.

        Returns:
            Evidence with ``attention`` [C, h, w] in 0..1 on the grid of :attr:`stride`; all zero
            as long as nothing was learnt.
        """
        logits = self.cell_logits(feats, index, evidence.img_shape)
        if 'tags' in evidence:
            possible = evidence.tags > 0
            if 'known' in evidence:
                possible = possible | (evidence.known == 0)
            possible = torch.cat([possible, possible.new_ones(1)])[:, None, None]
        else:
            possible = torch.ones_like(logits[:, :1, :1], dtype=torch.bool)
        logits = logits.masked_fill(~possible, float('-inf'))
        seen = Evidence(metainfo=dict(evidence.metainfo))
        seen.set_metainfo(dict(attention_stride=self.stride))
        seen.attention = F.relu(logits.softmax(0)[:-1] - 1 / possible.sum())
        return seen

    def loss(self, feats: Sequence[Tensor], evidence: Sequence[Evidence]) -> Tensor:
        """Cross-entropy of the cells that calibrated attention decides.

        Each class of an image and its background count alike, however many cells they have, and a
        pseudo instance by its weight. Further sizes in ``views`` count as the images do.

        Args:
            feats: Backbone maps of B images.
            evidence: After the calibration, with ``tags``, ``attention``, ``pseudo_instances`` and
                perhaps ``views``.

        Returns:
            A scalar.
        """
        losses = []
        for index, one in enumerate(evidence):
            losses.append(self._image_loss(self.cell_logits(feats, index, one.img_shape), one, 1))
            for view in one.get('views', []):
                scale = view.img_shape[0] / one.img_shape[0]
                logits = self.cell_logits(view.feats, 0, view.img_shape)
                losses.append(self._image_loss(logits, one, scale))
        return torch.stack(losses).mean()

    def _image_loss(self, logits: Tensor, evidence: Evidence, scale: float) -> Tensor:
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
        """What the calibrated attention of an image says of its cells.

        Args:
            evidence: As of :meth:`loss`.
            scale: Of the sides of the view whose cells are meant.
            size: (h, w) of its grid.

        Returns:
            Labels [h, w], C for background, and their weights [h, w], 0 where nothing is decided.
        """
        pseudo, stride = evidence.pseudo_instances, self.stride / scale
        own = self._on_cells(pseudo.attention, evidence.instance_stride, stride, size)
        own = own * (pseudo.weights > 0)[:, None, None]
        # The background stands first: where nobody claims a cell it is the first maximum.
        own, winner = torch.cat([own.new_zeros(1, *size), own]).max(0)
        claims = self._on_cells(evidence.attention, evidence.attention_stride, stride, size)
        claims = (claims * (evidence.tags > 0)[:, None, None]).amax(0)
        foreground = own >= self.foreground
        background = (own <= self.background) & (claims <= self.background)
        if 'known' in evidence:
            background = background & (evidence.known > 0).all()
        labels = torch.cat([pseudo.labels.new_full((1,), self.num_classes), pseudo.labels])[winner]
        weights = torch.cat([own.new_ones(1), pseudo.weights.to(own)])[winner]
        labels = labels.where(foreground, self.num_classes)
        return labels, torch.where(foreground, weights, background.to(weights))

    @staticmethod
    def _on_cells(maps: Tensor, stride: float, new_stride: float, size: Sequence[int]) -> Tensor:
        """Maps [M, h, w] on the cells of another grid, [M, *size]."""
        if len(maps) == 0:
            return maps.new_zeros(0, *size)
        return resample(maps[None].float(), stride, new_stride, (size[0], size[1]))[0]
