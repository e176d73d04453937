"""Interfaces of the cascade's steps."""

from abc import ABCMeta, abstractmethod
from collections.abc import Sequence

import torch
from mmengine.model import BaseModule
from mmengine.structures import InstanceData
from torch import Tensor, nn

from mmlabelpenet.registry import MODELS
from mmlabelpenet.structures import Evidence, Maps, Step
from mmlabelpenet.structures.boxes import shrink_boxes
from mmlabelpenet.structures.pieces import join_masks, keep_masks, pieces_of

from ..calibration import instance_attention
from ..heads import MaskResults, MaskSupervision
from ..task_modules import mine, select_detections


class Stage(BaseModule, metaclass=ABCMeta):
    """A step of the cascade: reads the evidence of images and adds to it.

    Stages share nothing but the evidence. On the way down the cascade calls :meth:`loss` of the
    stages that learn and :meth:`propagate` of all, on the way up :meth:`validate` in the inverse
    order.

    Attributes:
        learns: Whether the stage has losses.
        reads_labels: Whether its losses need what the steps before add to the evidence.
        starts_validation: Whether the way back can begin here: :meth:`validate` adds ``found``.
    """

    learns = True
    reads_labels = True
    starts_validation = False

    def use_backbone(self, backbone: nn.Module) -> None:
        """Take note of the model's backbone, once, when the model is built."""

    def begin(self, step: Step) -> None:
        """Prepare for training steps of a new kind."""

    @abstractmethod
    def loss(self, feats: Sequence[Tensor], evidence: list[Evidence]) -> dict[str, Tensor]:
        """Losses of this stage on the evidence that it is given.

        Args:
            feats: Backbone maps of a batch of B images.
            evidence: Of each image, after the stages before.

        Returns:
            Scalars by name, each name starting with ``loss``.
        """

    @abstractmethod
    def propagate(self, feats: Sequence[Tensor], evidence: list[Evidence]) -> list[Evidence]:
        """Refined evidence (labels travel down), detached."""

    def validate(self, feats: Sequence[Tensor], evidence: list[Evidence]) -> list[Evidence]:
        """Revised evidence on the way back (labels travel up), detached; unchanged by default."""
        return evidence

    def infer(self, feats: Sequence[Tensor], evidence: list[Evidence]) -> list[Evidence]:
        """Evidence at test time, without tags, for the stages that need it."""
        return evidence


class ResultStage(Stage):
    """A stage that has results of its own at test time.

    Attributes:
        needs: Names of the stages whose :meth:`infer` makes the evidence that :meth:`predict`
            starts from, in their order.
        makes_masks: Whether the results of :meth:`predict` have masks.
    """

    needs: tuple[str, ...] = ()
    makes_masks = False

    @abstractmethod
    def predict(self, feats: Sequence[Tensor], evidence: list[Evidence]) -> list[InstanceData]:
        """Results of this stage.

        Args:
            feats: Backbone maps of a batch of B images.
            evidence: After :meth:`infer` of the stages in :attr:`needs`.

        Returns:
            For each image ``bboxes`` [M, 4], ``scores`` [M], ``labels`` [M] and perhaps ``masks``
            [M, H, W], in pixels of the original image.
        """


class LabelSource(Stage):
    """The step that turns the evidence of stage 1 into pseudo instances.

    Attributes:
        validates: Whether :meth:`validate` merges validated instances into the pseudo instances.
        reads_ground_truth: Whether training images bring ``ground_truth``.
    """

    learns = False
    validates = False
    reads_ground_truth = False

    def steps(self) -> dict[str, Stage]:
        """This step by its name, and those that follow from it."""
        return {'calibration': self}

    def labels_cacheable(self, step: Step) -> bool:
        """Whether an image keeps its labels in such steps, as long as stage 1 is frozen."""
        return True

    def loss(self, feats: Sequence[Tensor], evidence: list[Evidence]) -> dict[str, Tensor]:
        """No losses: pseudo instances are not learned."""
        return {}

    def uncalibrated(self, evidence: list[Evidence]) -> list[Evidence]:
        """Pseudo instances of stage 1 alone, for analyses; those of :meth:`propagate` by default.

        Args:
            evidence: After stage 1.
        """
        return self.propagate(evidence[0].batch_feats, evidence)

    def attention_in(self, evidence: Evidence, instances: InstanceData) -> Maps:
        """Attention [M, h', w'] of M instances with ``bboxes`` and ``labels``, for analyses."""
        return instance_attention(evidence.attention, instances.bboxes, instances.labels)


class RegionStage(ResultStage):
    """A stage that scores proposals.

    Attributes:
        test_cfg: Arguments of :func:`select_detections`.
    """

    @abstractmethod
    def score_regions(
        self, feats: Sequence[Tensor], evidence: list[Evidence]
    ) -> list[tuple[Tensor, Tensor]]:
        """Scores and boxes of all proposals.

        Returns:
            For each image scores [N, C] and boxes [N, 4] in input pixels, in the order of its N
            proposals.
        """

    def detect(self, feats: Sequence[Tensor], evidence: list[Evidence]) -> list[InstanceData]:
        """Detections of all classes after NMS, in input pixels."""
        return [
            select_detections(bboxes, scores, **self.test_cfg)
            for scores, bboxes in self.score_regions(feats, evidence)
        ]

    def infer(self, feats: Sequence[Tensor], evidence: list[Evidence]) -> list[Evidence]:
        """Add ``detections``."""
        return [
            one.replace(detections=result)
            for one, result in zip(evidence, self.detect(feats, evidence))
        ]

    @torch.no_grad()
    def predict(self, feats: Sequence[Tensor], evidence: list[Evidence]) -> list[InstanceData]:
        """Detections of all classes after NMS."""
        return [
            boxes_on_image(result, one)
            for result, one in zip(self.detect(feats, evidence), evidence)
        ]


class BoxStage(RegionStage):
    """A stage whose box head scores and regresses the proposals.

    Attributes:
        mining: Arguments of :func:`mine` for the instances of tagged classes.
    """

    def score_regions(
        self, feats: Sequence[Tensor], evidence: list[Evidence]
    ) -> list[tuple[Tensor, Tensor]]:
        """Scores and regressed boxes of the box head.

        The scores are multiplied by the ``objectness`` of proposals that have one: the box head
        has learned on searched proposals alone, which follow the edges of the image.
        """
        scored = self.box_head.scores_and_boxes(
            feats, [e.proposals.bboxes for e in evidence], [e.img_shape for e in evidence]
        )
        return [
            (scores * e.proposals.objectness[:, None], bboxes)
            if 'objectness' in e.proposals
            else (scores, bboxes)
            for (scores, bboxes), e in zip(scored, evidence)
        ]

    @torch.no_grad()
    def mined(self, feats: Sequence[Tensor], evidence: Sequence[Evidence]) -> list[InstanceData]:
        """Instances of the tagged classes of images, by the scores of the box head."""
        scores, bboxes = zip(*self.score_regions(feats, list(evidence)))
        return mine(bboxes, scores, [one.tags for one in evidence], **self.mining)


class MaskStage(ResultStage):
    """A stage with a mask head, its supervision and its results."""

    makes_masks = True

    def build_masks(
        self, num_classes: int, mask_head: dict, supervision: dict, results: dict
    ) -> None:
        """Build the parts.

        Args:
            num_classes: C.
            mask_head: Arguments of :class:`WeakMaskHead`.
            supervision: Arguments of :class:`MaskSupervision`.
            results: Arguments of :class:`MaskResults`.
        """
        self.mask_supervision = MaskSupervision(num_classes, **supervision)
        self.mask_head = MODELS.build(
            dict(type='WeakMaskHead', num_classes=num_classes, **mask_head)
        )
        self.mask_results = MaskResults(**results)

    def mask_loss(
        self, feats: Sequence[Tensor], evidence: list[Evidence], name: str
    ) -> dict[str, Tensor]:
        """``loss_mask`` on maps of the pseudo instances, ``'attention'`` or ``'masks'``."""
        regions = self.mask_supervision.regions(evidence)
        pairs = [
            self.mask_supervision.targets(one.instance_maps(name), region, self.mask_head.size)
            for one, region in zip(evidence, regions)
        ]
        return self.mask_head.loss(feats, regions, *zip(*pairs))

    def soft_masks(
        self, feats: Sequence[Tensor], instances: Sequence[InstanceData]
    ) -> list[Tensor]:
        """Masks [M_i, size, size] in 0..1 of instances with ``bboxes`` in input pixels."""
        labels = torch.cat([one.labels for one in instances])
        logits = self.mask_head.label_logits(feats, [one.bboxes for one in instances], labels)
        return list(logits.sigmoid().split([len(one) for one in instances]))

    def finish(self, soft: Tensor, result: InstanceData, evidence: Evidence) -> InstanceData:
        """Add masks to detections of one image, see :meth:`MaskResults.finish`."""
        return self.mask_results.finish(self.mask_head, soft, result, evidence)

    def with_masks(
        self,
        feats: Sequence[Tensor],
        detections: Sequence[InstanceData],
        evidence: Sequence[Evidence],
    ) -> list[InstanceData]:
        """Detections in input pixels as results with masks, in pixels of the original image."""
        return [
            self.finish(soft, boxes_on_image(result, one), one)
            for soft, result, one in zip(self.soft_masks(feats, detections), detections, evidence)
        ]


def boxes_on_image(result: InstanceData, evidence: Evidence) -> InstanceData:
    """A copy whose boxes are in pixels of the original image."""
    result = result.clone()
    result.bboxes = shrink_boxes(result.bboxes, evidence.scale_factor)
    return result


def label_result(evidence: Evidence, maps: str) -> InstanceData:
    """Pseudo instances as a result, so that they can be evaluated.

    Args:
        evidence: With ``pseudo_instances``.
        maps: The field that gives the masks, ``'attention'`` or ``'masks'``.

    Returns:
        ``bboxes``, ``labels``, ``scores`` (the weights) and ``masks`` [M, H, W] (or run
        lengths, if those would take a gigabyte), empty where the instances have no such field, in
        pixels of the original image.
    """
    pseudo = evidence.pseudo_instances
    result = InstanceData(bboxes=pseudo.bboxes, scores=pseudo.weights, labels=pseudo.labels)
    result, device = boxes_on_image(result, evidence), pseudo.bboxes.device
    soft = evidence.instance_maps(maps) if len(pseudo) > 0 and maps in pseudo else None
    height, width = evidence.ori_shape[:2]
    pieces = (
        _masks_on_image(soft[piece], evidence)
        if soft is not None
        else torch.zeros(piece.stop - piece.start, height, width, dtype=torch.bool, device=device)
        for piece in pieces_of(0, len(pseudo), height * width)
    )
    result.masks = join_masks(keep_masks(pieces, len(pseudo) * height * width))
    return result


def _masks_on_image(soft: Maps, evidence: Evidence) -> Tensor:
    return soft.on_image(evidence.ori_shape, evidence.scale_factor) >= 0.5
