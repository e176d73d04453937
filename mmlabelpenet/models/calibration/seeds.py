"""Seeds: how calibrated evidence is turned into pseudo instances, one class for each way."""

import math
from collections.abc import Iterable, Sequence

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from mmengine.structures import InstanceData
from torch import Tensor

from mmlabelpenet.registry import MODELS
from mmlabelpenet.structures import Evidence, Maps
from mmlabelpenet.structures.boxes import clip_boxes, paired_iou
from mmlabelpenet.structures.selecting import kept_indices

from ..refiners import Refiner, refine
from ..task_modules import mine
from .instance_attention import connected_to_peak, instance_attention


def mined_instances(
    evidence: Sequence[Evidence], mining: dict, dilation: float, refiners: Iterable[Refiner] = ()
) -> list[Evidence]:
    """Mine the proposals of images and read their instance attention.

    Args:
        evidence: With ``proposals`` and their scores, ``tags`` and ``attention``.
        mining: Arguments of :func:`mine`.
        dilation: Factor of the sides of a box within which its attention is read.
        refiners: Refine the instance attention.

    Returns:
        The evidence with ``pseudo_instances``, whose weights are their scores as in OICR, and
        ``instance_stride``.
    """
    bboxes, scores, tags = zip(
        *((e.proposals.bboxes, e.proposals.scores, e.tags) for e in evidence)
    )
    mined = mine(bboxes, scores, tags, **mining)
    return [_with_attention(*pair, dilation, refiners) for pair in zip(evidence, mined)]


def _with_attention(
    evidence: Evidence, pseudo: InstanceData, dilation: float, refiners: Iterable[Refiner]
) -> Evidence:
    pseudo.weights = pseudo.scores
    maps = instance_attention(evidence.attention, pseudo.bboxes, pseudo.labels, dilation)
    maps = refine(refiners, evidence, maps)
    pseudo.attention = maps.values
    return evidence.replace(pseudo_instances=pseudo, instance_stride=maps.stride)


@MODELS.register_module()
class ProposalSeeds(BaseModule):
    """Pseudo instances are the proposals of most energy, moved onto the attention inside them.

    Args:
        mining: Arguments of :func:`mine`.
        dilation: Factor of the sides of a box within which its attention is read.
        tighten: Share of the attention's peak that belongs to the object: each box moves to the
            tight box of that part. None leaves the boxes as they are.
        min_iou: A tight box of a lower IoU with the mined box is not used.
    """

    def __init__(
        self,
        mining: dict | None = None,
        dilation: float = 1.3,
        tighten: float | None = None,
        min_iou: float = 0.5,
    ) -> None:
        super().__init__()
        self.mining = mining or {}
        self.dilation = dilation
        self.tighten = tighten
        self.min_iou = min_iou

    def forward(self, evidence: Sequence[Evidence], refiners: Iterable[Refiner]) -> list[Evidence]:
        """Add pseudo instances to images.

        Args:
            evidence: With calibrated ``attention`` and ``proposals``, ``tags``, ``image_scores``.
            refiners: Refine the instance attention.

        Returns:
            The evidence with ``pseudo_instances``: their weights are the image score of the class
            times the score's share of the class's best.
        """
        mined = mined_instances(evidence, self.mining, self.dilation, refiners)
        return [self._moved(one) for one in mined]

    def _moved(self, evidence: Evidence) -> Evidence:
        """Weigh the instances of one image and move their boxes."""
        pseudo = evidence.pseudo_instances
        best = evidence.proposals.scores.amax(0)[pseudo.labels].clamp(min=1e-6)
        pseudo.weights = evidence.image_scores[pseudo.labels] * pseudo.scores / best
        if self.tighten is not None:
            component = connected_to_peak(pseudo.attention, self.tighten)
            tight = Maps(component, evidence.instance_stride).tight_boxes(evidence.img_shape)
            agree = paired_iou(pseudo.bboxes, tight) >= self.min_iou
            pseudo.bboxes = torch.where(agree[:, None], tight, pseudo.bboxes)
        return evidence


@MODELS.register_module()
class AttentionSeeds(BaseModule):
    """Pseudo instances are the peaks of attention, one of each tagged class.

    The box is tight around the part of the attention that is connected to its peak, wherever the
    proposals lie.

    Args:
        threshold: Share of the peak that belongs to the object.
        dilation: Factor of the sides of the box within which the instance attention is read.
    """

    def __init__(self, threshold: float = 0.5, dilation: float = 1.3) -> None:
        super().__init__()
        self.threshold = threshold
        self.dilation = dilation

    def forward(self, evidence: Sequence[Evidence], refiners: Iterable[Refiner]) -> list[Evidence]:
        """Add pseudo instances to images.

        Args:
            evidence: With calibrated ``attention``, ``tags`` and ``image_scores``.
            refiners: Refine the attention of each tagged class.

        Returns:
            The evidence with ``pseudo_instances``: scores and weights are the image score of the
            class. A class without any attention gets the box of the whole image and weight 0.
        """
        labels = kept_indices([one.tags > 0 for one in evidence])
        maps = [refine(refiners, one, one.attention[own]) for one, own in zip(evidence, labels)]
        components = self._components(maps)
        return [self._peaks(*parts) for parts in zip(evidence, labels, maps, components)]

    def _components(self, maps: Sequence[Maps]) -> list[Maps]:
        """What is connected to the peaks of the maps of images, all images at once."""
        height, width = (max(one.values.shape[axis] for one in maps) for axis in (1, 2))
        padded = [
            F.pad(one.values, (0, width - one.values.shape[2], 0, height - one.values.shape[1]))
            for one in maps
        ]
        found = connected_to_peak(torch.cat(padded), self.threshold)
        return [
            Maps(cells[:, : one.values.shape[1], : one.values.shape[2]], one.stride)
            for cells, one in zip(found.split([len(one.values) for one in maps]), maps)
        ]

    def _peaks(self, evidence: Evidence, labels: Tensor, maps: Maps, component: Maps) -> Evidence:
        """Add the instances of one image."""
        boxes = component.tight_boxes(evidence.img_shape)
        found = (boxes[:, 2] > 0) & (boxes[:, 3] > 0)
        # Without attention the box is zero: its far corner moves out of the image, which cuts it.
        far = boxes[:, 2:].masked_fill(~found[:, None], math.inf)
        boxes = clip_boxes(torch.cat([boxes[:, :2], far], dim=1), evidence.img_shape)
        scores = evidence.image_scores[labels] * found
        own = torch.arange(len(labels), device=labels.device)
        pseudo = InstanceData(
            bboxes=boxes,
            labels=labels,
            scores=scores,
            weights=scores,
            attention=instance_attention(maps, boxes, own, self.dilation).values,
        )
        return evidence.replace(pseudo_instances=pseudo, instance_stride=maps.stride)
