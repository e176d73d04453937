"""Proposals that the cascade learns: a region proposal network, taught by the last stage."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmengine.config import ConfigDict
from mmengine.structures import InstanceData
from torch import Tensor

from mmlabelpenet.registry import MODELS
from mmlabelpenet.structures import Evidence, grid_size
from mmlabelpenet.structures.boxes import encode_boxes

from ..heads import LevelFusion
from ..task_modules import IGNORED, assign_pseudo_labels, sample_rois
from .base import BoxStage, Stage

OBJECT = 0


@MODELS.register_module()
class LearnedProposals(Stage):
    """Mmdet's ``RPNHead``, which learns class-agnostic boxes from the last stage's instances.

    It learns in a phase of its own after all others, on the fused maps of the last stage's box
    head, which it does not change, so that nothing else of the model depends on it. At test time
    it gives proposals to images that bring none: those need no Selective Search.

    Only anchors around an instance are background: what lies elsewhere may be an object that no
    tag names or no stage has found, as in :func:`assign_pseudo_labels`. Every anchor has the
    weight of its instance, which is the score of the last stage.

    Args:
        teacher: The last stage. Whoever builds this step holds its parameters.
        channels: Of the convolution of the head.
        sides: Of the square anchors, in pixels of the network input.
        ratios: Heights over widths of anchors.
        num_samples: Anchors drawn from an image for the loss.
        pos_fraction: Greatest share of foreground among them.
        pos_iou: Least IoU of a foreground anchor with an instance.
        neg_iou: Least and greatest IoU of background.
        num_candidates: Best anchors of an image that take part in NMS.
        nms_iou: IoU above which NMS removes the lower box.
        num_proposals: Greatest number of proposals of an image.
        regressions: How many times the last stage's box head then moves the proposals.
        init_cfg: mmengine's initialisation.

    Raises:
        ValueError: If the last stage has no instances to learn from.
    """

    def __init__(
        self,
        teacher: Stage,
        channels: int = 128,
        sides: Sequence[int] = (32, 64, 128, 256, 384),
        ratios: Sequence[float] = (0.5, 1.0, 2.0),
        num_samples: int = 256,
        pos_fraction: float = 0.5,
        pos_iou: float = 0.5,
        neg_iou: tuple[float, float] = (0.1, 0.5),
        num_candidates: int = 20000,
        nms_iou: float = 0.7,
        num_proposals: int = 300,
        regressions: int = 1,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        if not (isinstance(teacher, BoxStage) and teacher.starts_validation):
            raise ValueError(f'proposals cannot learn from a {type(teacher).__name__}')
        self._teacher = (teacher,)  # a tuple does not register its parameters a second time
        self.num_samples = num_samples
        self.pos_fraction = pos_fraction
        self.pos_iou = pos_iou
        self.neg_iou = neg_iou
        self.regressions = regressions
        anchors = dict(
            type='mmdet.AnchorGenerator',
            scales=[side / self.fusion.stride for side in sides],
            ratios=list(ratios),
            strides=[self.fusion.stride],
        )
        kept = ConfigDict(
            nms_pre=num_candidates,
            max_per_img=num_proposals,
            nms=dict(type='nms', iou_threshold=nms_iou),
            min_bbox_size=0,
        )
        # A generator of its own: the weights of all other parts stay what they are without it.
        with torch.random.fork_rng(devices=[]):
            self.head = MODELS.build(
                dict(
                    type='mmdet.RPNHead',
                    in_channels=self.fusion.out_channels,
                    feat_channels=channels,
                    anchor_generator=anchors,
                    bbox_coder=dict(type='mmdet.DeltaXYWHBBoxCoder'),
                    test_cfg=kept,
                )
            )

    @property
    def fusion(self) -> LevelFusion:
        """The projection of the backbone's maps, which the last stage has learned."""
        return self._teacher[0].box_head.roi_features.fusion

    def loss(self, feats: Sequence[Tensor], evidence: list[Evidence]) -> dict[str, Tensor]:
        """Losses of the anchors around the instances that the last stage finds.

        They are those of ``RPNHead``, which itself would wait for the device.

        Args:
            feats: Backbone maps of a batch of B images.
            evidence: Of each image, after the last stage.

        Returns:
            ``loss_cls`` (binary cross entropy) and ``loss_bbox`` (L1): sums over all drawn
            anchors, divided by the number of those that are not ignored.
        """
        evidence = self._teacher[0].validate(feats, evidence)
        fused = self.fusion(feats).detach()
        regions = InstanceData.cat([self._sample(fused, one) for one in evidence])
        foreground, weights = regions.labels == OBJECT, regions.weights
        count = (regions.labels != IGNORED).sum().clamp(min=1)
        entropy = F.binary_cross_entropy_with_logits(
            regions.logits[:, 0], foreground.float(), reduction='none'
        )
        # Only foreground surely has an area, without which deltas are not finite.
        encoded = encode_boxes(regions.bboxes, regions.targets, self.head.bbox_coder.stds[::2])
        targets = encoded.masked_fill(~foreground[:, None], 0)
        distance = (regions.deltas - targets).abs().sum(1)
        return dict(
            loss_cls=(entropy * weights).sum() / count,
            loss_bbox=(distance * (weights * foreground)).sum() / count,
        )

    def _sample(self, fused: Tensor, evidence: Evidence) -> InstanceData:
        """Draw anchors of an image.

        Args:
            fused: Maps [B, channels, H, W] of the batch.
            evidence: Of the image, with ``found`` instances.

        Returns:
            Anchors as :func:`assign_pseudo_labels` describes them (label 0 is an object, 1 is
            background), with their ``logits`` [N, 1] and ``deltas`` [N, 4].
        """
        logits, deltas = self._outputs(fused, evidence)
        found = InstanceData(
            bboxes=evidence.found.bboxes,
            labels=torch.full_like(evidence.found.labels, OBJECT),
            weights=evidence.found.scores,
        )
        anchors = self._anchors(logits)
        regions = assign_pseudo_labels(anchors, found, 1, self.pos_iou, self.neg_iou)
        # In the order of the anchors: by cell, then by shape.
        regions.logits, regions.deltas = (
            maps[0].permute(1, 2, 0).reshape(len(anchors), -1) for maps in (logits, deltas)
        )
        return sample_rois(regions, 1, self.num_samples, self.pos_fraction)

    def _anchors(self, logits: Tensor) -> Tensor:
        """Anchors [h w A, 4] of maps [1, A, h, w] in input pixels."""
        device, priors = logits.device, self.head.prior_generator
        # mmdet would send them to the device, and wait, for each image.
        priors.base_anchors = [one.to(device, non_blocking=True) for one in priors.base_anchors]
        return priors.grid_priors([tuple(logits.shape[-2:])], device=device)[0]

    def _outputs(self, fused: Tensor, evidence: Evidence) -> tuple[Tensor, Tensor]:
        """Logits [1, A, h, w] and deltas [1, 4 A, h, w] of an image, whatever its batch is."""
        (rows, columns), index = grid_size(evidence.img_shape, self.fusion.stride), evidence.index
        # Without the padding, which a convolution would see.
        [logits], [deltas] = self.head((fused[index : index + 1, :, :rows, :columns],))
        return logits.float(), deltas.float()

    def propagate(self, feats: Sequence[Tensor], evidence: list[Evidence]) -> list[Evidence]:
        """The evidence, unchanged: proposals come before all stages."""
        return evidence

    @torch.no_grad()
    def propose(self, feats: Sequence[Tensor], evidence: Sequence[Evidence]) -> list[InstanceData]:
        """Proposals of images.

        Args:
            feats: Backbone maps of a batch.
            evidence: Of all of its images.

        Returns:
            For each image ``bboxes`` [N, 4] in input pixels and ``scores`` [N] in 0..1, falling.
        """
        fused = self.fusion(feats)
        found = [self._proposed(*self._outputs(fused, one), one) for one in evidence]
        for _ in range(self.regressions):
            regions = [one.replace(proposals=boxes) for one, boxes in zip(evidence, found)]
            moved = self._teacher[0].score_regions(feats, regions)
            found = [
                InstanceData(bboxes=bboxes, scores=one.scores)
                for one, (_, bboxes) in zip(found, moved)
            ]
        return found

    def _proposed(self, logits: Tensor, deltas: Tensor, evidence: Evidence) -> InstanceData:
        """Boxes of an image after NMS, by falling score, from its :meth:`_outputs`."""
        meta = dict(img_shape=evidence.img_shape[:2])
        [found] = self.head.predict_by_feat([logits], [deltas], batch_img_metas=[meta])
        return InstanceData(bboxes=found.bboxes, scores=found.scores)
