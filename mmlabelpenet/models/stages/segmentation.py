"""Module 4: instance segmentation, from refined masks to the final instances."""

from collections.abc import Sequence

import torch
from mmengine.structures import InstanceData
from torch import Tensor

from mmlabelpenet.registry import MODELS
from mmlabelpenet.structures import Evidence

from ..grids import resample, tight_boxes
from ..task_modules import mine_pseudo_instances, select_detections
from .base import Stage
from .refinement import MaskTeaching


@MODELS.register_module()
class SegmentationStage(Stage):
    """Mask R-CNN type box and mask heads taught by the refined masks (METHOD 3.4).

    Args:
        num_classes: C.
        box_head: Arguments of :class:`WeakBoxHead`.
        mask_head: Arguments of :class:`WeakMaskHead`.
        teaching: Arguments of :class:`MaskTeaching` for the refined masks.
        mining: Arguments of :func:`mine_pseudo_instances` for what :meth:`validate` hands up.
        test_cfg: Arguments of :func:`select_detections`.
        init_cfg: mmengine's initialisation.
    """

    makes_masks = True

    def __init__(
        self,
        num_classes: int,
        box_head: dict,
        mask_head: dict,
        teaching: dict | None = None,
        mining: dict | None = None,
        test_cfg: dict | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        self.num_classes = num_classes
        self.mining = mining or {}
        self.test_cfg = test_cfg or {}
        self.teaching = MaskTeaching(**(teaching or dict(foreground=0.5, background=0.5)))
        self.box_head = MODELS.build(dict(type='WeakBoxHead', num_classes=num_classes, **box_head))
        self.mask_head = MODELS.build(
            dict(type='WeakMaskHead', num_classes=num_classes, **mask_head)
        )

    def loss(self, feats: Sequence[Tensor], evidence: list[Evidence]) -> dict[str, Tensor]:
        """Box losses on the pseudo boxes, ``loss_mask`` on the refined masks."""
        regions = [self.box_head.sample(e.proposals.bboxes, e.pseudo_instances) for e in evidence]
        logits, deltas = self.box_head(feats, [region.bboxes for region in regions])
        losses = self.box_head.loss(logits[:, 0], deltas, regions)
        regions = [self.teaching.regions(e, self.num_classes) for e in evidence]
        pairs = [
            self.teaching.targets(
                e.pseudo_instances.masks, e.instance_stride, region, self.mask_head.size
            )
            for e, region in zip(evidence, regions)
        ]
        return losses | self.mask_head.loss(feats, regions, *zip(*pairs))

    def propagate(self, feats: Sequence[Tensor], evidence: list[Evidence]) -> list[Evidence]:
        """Nothing lies below: the evidence as it is."""
        return evidence

    def score_regions(
        self, feats: Sequence[Tensor], evidence: list[Evidence]
    ) -> list[tuple[Tensor, Tensor]]:
        """Scores and regressed boxes of its own box head."""
        return self.box_head.scores_and_boxes(
            feats, [e.proposals.bboxes for e in evidence], [e.img_shape for e in evidence]
        )

    @torch.no_grad()
    def validate(self, feats: Sequence[Tensor], evidence: list[Evidence]) -> list[Evidence]:
        """Begin the way back: add what this stage finds of the tagged classes.

        Masks are fitted to the image as those of a result are: a tight box of a mask that
        misses the edges of its object would be a worse one than that of the attention.

        Returns:
            The evidence with ``found``: ``bboxes`` [F, 4] tight around the masks, ``labels``,
            ``scores`` and soft ``masks`` [F, h, w] on the grid of the instances.
        """
        pairs = self.score_regions(feats, evidence)
        found = [
            mine_pseudo_instances(bboxes, scores, one.tags, **self.mining)
            for one, (scores, bboxes) in zip(evidence, pairs)
        ]
        logits = self.mask_head.label_logits(
            feats, [f.bboxes for f in found], torch.cat([f.labels for f in found])
        )
        finer = []
        for one, instances, masks in zip(
            evidence, found, logits.sigmoid().split([len(f) for f in found])
        ):
            one = one.clone()
            stride = one.instance_stride
            maps, fine = self.mask_head.fitted_maps(masks, instances.bboxes, one.image, stride)
            height, width = one.img_shape[:2]
            tight = tight_boxes(maps >= 0.5) * fine
            tight = tight.minimum(tight.new_tensor([width, height, width, height]))
            filled = (tight[:, 2:] > tight[:, :2]).all(1, keepdim=True)
            instances.bboxes = torch.where(filled, tight, instances.bboxes)
            size = one.pseudo_instances.attention.shape[-2:]
            instances.masks = resample(maps[None], fine, stride, size)[0]
            one.found = instances
            finer.append(one)
        return finer

    @torch.no_grad()
    def predict(self, feats: Sequence[Tensor], evidence: list[Evidence]) -> list[InstanceData]:
        """Final instances with masks, in image pixels."""
        pairs = self.score_regions(feats, evidence)
        results = [select_detections(boxes, scores, **self.test_cfg) for scores, boxes in pairs]
        return self.mask_head.paste(feats, results, evidence)
