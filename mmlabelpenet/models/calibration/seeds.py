"""Seeds: how calibrated evidence is turned into pseudo instances, one class for each way."""

from collections.abc import Iterable

import torch
from mmdet.structures.bbox import bbox_overlaps
from mmengine.model import BaseModule
from mmengine.structures import InstanceData

from mmlabelpenet.registry import MODELS
from mmlabelpenet.structures import Evidence, Maps

from ..refiners import Refiner, refine
from ..task_modules import mine
from .instance_attention import connected_to_peak, instance_attention


def mined_instances(
    evidence: Evidence, mining: dict, dilation: float, refiners: Iterable[Refiner] = ()
) -> Evidence:
    """Mine the proposals of one image and read their instance attention.

    Args:
        evidence: With ``proposals`` and their scores, ``tags`` and ``attention``.
        mining: Arguments of :func:`mine`.
        dilation: Factor of the sides of a box within which its attention is read.
        refiners: Refine the instance attention.

    Returns:
        The evidence with ``pseudo_instances``, whose weights are their scores as in OICR, and
        ``instance_stride``.
    """
    proposals = evidence.proposals
    pseudo = mine(proposals.bboxes, proposals.scores, evidence.tags, **mining)
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

    def forward(self, evidence: Evidence, refiners: Iterable[Refiner]) -> Evidence:
        """Add pseudo instances to one image.

        Args:
            evidence: With calibrated ``attention`` and ``proposals``, ``tags``, ``image_scores``.
            refiners: Refine the instance attention.

        Returns:
            The evidence with ``pseudo_instances``: their weights are the image score of the class
            times the score's share of the class's best.
        """
        evidence = mined_instances(evidence, self.mining, self.dilation, refiners)
        pseudo = evidence.pseudo_instances
        best = evidence.proposals.scores.amax(0)[pseudo.labels].clamp(min=1e-6)
        pseudo.weights = evidence.image_scores[pseudo.labels] * pseudo.scores / best
        if self.tighten is not None:
            component = connected_to_peak(pseudo.attention, self.tighten)
            tight = Maps(component, evidence.instance_stride).tight_boxes(evidence.img_shape)
            agree = bbox_overlaps(pseudo.bboxes, tight, is_aligned=True) >= self.min_iou
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

    def forward(self, evidence: Evidence, refiners: Iterable[Refiner]) -> Evidence:
        """Add pseudo instances to one image.

        Args:
            evidence: With calibrated ``attention``, ``tags`` and ``image_scores``.
            refiners: Refine the attention of each tagged class.

        Returns:
            The evidence with ``pseudo_instances``: scores and weights are the image score of the
            class. A class without any attention gets the box of the whole image and weight 0.
        """
        labels = evidence.tags.nonzero()[:, 0]
        maps = refine(refiners, evidence, evidence.attention[labels])
        height, width = evidence.img_shape[:2]
        component = connected_to_peak(maps.values, self.threshold)
        boxes = Maps(component, maps.stride).tight_boxes(evidence.img_shape)
        found = (boxes[:, 2] > 0) & (boxes[:, 3] > 0)
        boxes = torch.where(found[:, None], boxes, boxes.new_tensor([0, 0, width, height]))
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
