"""Proposals that the cascade learns: a region proposal network, taught by the last stage."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmengine.config import ConfigDict
from mmengine.structures import InstanceData
from torch import Tensor

from mmlabelpenet.registry import MODELS
from mmlabelpenet.structures import Evidence, grid_size
from mmlabelpenet.structures.boxes import box_iou, decode_boxes, encode_boxes, paired_iou

from ..heads import LevelFusion
from ..task_modules import IGNORED, assign_pseudo_labels, sample_rois
from .base import BoxStage, Stage

OBJECT = 0
# Least IoU of an instance with its best anchors, which are foreground below `pos_iou` too.
LEAST_IOU = 0.3


@MODELS.register_module()
class LearnedProposals(Stage):
    """Mmdet's ``RPNHead``, which learns class-agnostic boxes from the last stage's instances.

    It learns in a phase of its own after all others, on the fused maps of the last stage's box
    head, which it does not change, so that nothing else of the model depends on it. At test time
    it gives proposals to images that bring none: those need no Selective Search.

    Foreground anchors learn the IoU of their moved box with its instance, not that they are
    foreground. This objectness, which multiplies the class scores, takes the place of the edges
    that searched proposals follow: the box heads, which saw no others, score parts of objects
    and boxes of several objects too high.

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
        score_power: Of the objectness that multiplies the class scores of a proposal.
        regressions: How many times the last stage's box head then moves the proposals.
        init_cfg: mmengine's initialisation.

    Raises:
        ValueError: If the last stage has no instances to learn from.
    """

    reads_labels = False

    def __init__(
        self,
        teacher: Stage,
        channels: int = 128,
        sides: Sequence[int] = (32, 64, 96, 144, 208, 288, 384),
        ratios: Sequence[float] = (0.5, 1.0, 2.0),
        num_samples: int = 256,
        pos_fraction: float = 0.5,
        pos_iou: float = 0.5,
        neg_iou: tuple[float, float] = (0.1, 0.5),
        num_candidates: int = 4000,
        nms_iou: float = 0.7,
        num_proposals: int = 300,
        score_power: float = 1.5,
        regressions: int = 0,
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
        self.score_power = score_power
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

    @property
    def stds(self) -> Sequence[float]:
        """Divisors of the deltas of centres, and of sides."""
        return self.head.bbox_coder.stds[::2]

    def loss(self, feats: Sequence[Tensor], evidence: list[Evidence]) -> dict[str, Tensor]:
        """Losses of the anchors around the instances that the last stage finds.

        They are those of ``RPNHead``, which itself would wait for the device.

        Args:
            feats: Backbone maps of a batch of B images.
            evidence: Of each image, with ``proposals`` and ``tags``.

        Returns:
            ``loss_cls`` (binary cross entropy with the IoU of the moved box, 0 for background)
            and ``loss_bbox`` (L1): sums over all drawn anchors, divided by the number of those
            that are not ignored.
        """
        fused, found = self.fusion(feats).detach(), self._teacher[0].mined(feats, evidence)
        regions = InstanceData.cat(self._sample(fused, evidence, found))
        foreground, weights = regions.labels == OBJECT, regions.weights
        count = (regions.labels != IGNORED).sum().clamp(min=1)
        entropy = F.binary_cross_entropy_with_logits(
            regions.logits[:, 0], regions.quality * foreground, reduction='none'
        )
        # Only foreground surely has an area, without which deltas are not finite.
        encoded = encode_boxes(regions.bboxes, regions.targets, self.stds)
        targets = encoded.masked_fill(~foreground[:, None], 0)
        distance = (regions.deltas - targets).abs().sum(1)
        return dict(
            loss_cls=(entropy * weights).sum() / count,
            loss_bbox=(distance * (weights * foreground)).sum() / count,
        )

    def _sample(
        self, fused: Tensor, evidence: Sequence[Evidence], found: Sequence[InstanceData]
    ) -> list[InstanceData]:
        """Draw anchors of images.

        Args:
            fused: Maps [B, channels, H, W] of the batch.
            evidence: Of its images.
            found: Instances of the last stage in each.

        Returns:
            For each image anchors as :func:`assign_pseudo_labels` describes them (label 0 is an
            object, 1 is background), with their ``logits`` [N, 1], ``deltas`` [N, 4] and
            ``quality`` [N], the IoU of the moved box with its instance.
        """
        outputs = [self._outputs(fused, one) for one in evidence]
        assigned = self._assigned([self._anchors(logits) for logits, _ in outputs], found)
        for regions, maps in zip(assigned, outputs):
            # In the order of the anchors: by cell, then by shape.
            regions.logits, regions.deltas = (
                one[0].permute(1, 2, 0).reshape(len(regions), -1) for one in maps
            )
        drawn = sample_rois(assigned, 1, self.num_samples, self.pos_fraction)
        for regions, one in zip(drawn, evidence):
            deltas = regions.deltas.detach()
            moved = decode_boxes(regions.bboxes, deltas, one.img_shape, self.stds)
            regions.quality = paired_iou(moved, regions.targets)
        return drawn

    def _assigned(
        self, anchors: Sequence[Tensor], found: Sequence[InstanceData]
    ) -> list[InstanceData]:
        """Anchors [N, 4] of images with labels; the best ones of each instance are foreground."""
        instances = [
            InstanceData(
                bboxes=one.bboxes,
                labels=torch.full_like(one.labels, OBJECT),
                weights=one.scores,
            )
            for one in found
        ]
        assigned = assign_pseudo_labels(anchors, instances, 1, self.pos_iou, self.neg_iou)
        for regions, own in zip(assigned, instances):
            if len(own) > 0:
                overlaps = box_iou(regions.bboxes, own.bboxes)
                least = overlaps.amax(0).clamp(min=LEAST_IOU)
                best = (overlaps >= least).any(1)
                regions.labels = regions.labels.masked_fill(best, OBJECT)
                weights = own.weights[regions.assigned]
                regions.weights = torch.where(best, weights, regions.weights)
        return assigned

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
            For each image ``bboxes`` [N, 4] in input pixels, ``scores`` [N] in 0..1, falling, and
            ``objectness`` [N], the factor of their class scores.
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
        for one in found:
            one.objectness = one.scores**self.score_power
        return found

    def _proposed(self, logits: Tensor, deltas: Tensor, evidence: Evidence) -> InstanceData:
        """Boxes of an image after NMS, by falling score, from its :meth:`_outputs`."""
        meta = dict(img_shape=evidence.img_shape[:2])
        [found] = self.head.predict_by_feat([logits], [deltas], batch_img_metas=[meta])
        return InstanceData(bboxes=found.bboxes, scores=found.scores)
