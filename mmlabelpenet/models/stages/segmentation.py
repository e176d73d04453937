"""Module 4: instance segmentation, from refined masks to the final instances."""

from collections.abc import Sequence

import torch
from mmengine.structures import InstanceData
from torch import Tensor

from mmlabelpenet.registry import MODELS
from mmlabelpenet.structures import Evidence, Maps

from .base import BoxStage, MaskStage


@MODELS.register_module()
class SegmentationStage(BoxStage, MaskStage):
    """Box and mask heads as in Mask R-CNN, supervised by refined masks (docs/paper/method.md).

    Args:
        num_classes: C.
        box_head: Arguments of :class:`WeakBoxHead`.
        mask_head: Arguments of :class:`WeakMaskHead`.
        mask_supervision: Arguments of :class:`MaskSupervision` for the refined masks.
        mask_results: Arguments of :class:`MaskResults`.
        mining: Arguments of :func:`mine` for the instances of :meth:`validate`.
        test_cfg: Arguments of :func:`select_detections`.
        init_cfg: mmengine's initialisation.
    """

    starts_validation = True

    def __init__(
        self,
        num_classes: int,
        box_head: dict,
        mask_head: dict,
        mask_supervision: dict | None = None,
        mask_results: dict | None = None,
        mining: dict | None = None,
        test_cfg: dict | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        self.mining = mining or {}
        self.test_cfg = test_cfg or {}
        self.box_head = MODELS.build(dict(type='WeakBoxHead', num_classes=num_classes, **box_head))
        supervision = mask_supervision or dict(foreground=0.5, background=0.5)
        self.build_masks(num_classes, mask_head, supervision, mask_results or {})

    def loss(self, feats: Sequence[Tensor], evidence: list[Evidence]) -> dict[str, Tensor]:
        """Box losses on the pseudo boxes, ``loss_mask`` on the refined masks."""
        regions = self.box_head.sample(
            [e.proposals.bboxes for e in evidence], [e.pseudo_instances for e in evidence]
        )
        logits, deltas = self.box_head(feats, [region.bboxes for region in regions])
        losses = self.box_head.loss(logits[:, 0], deltas, regions)
        return losses | self.mask_loss(feats, evidence, 'masks')

    def propagate(self, feats: Sequence[Tensor], evidence: list[Evidence]) -> list[Evidence]:
        """The evidence, unchanged: this is the last module."""
        return evidence

    @torch.no_grad()
    def validate(self, feats: Sequence[Tensor], evidence: list[Evidence]) -> list[Evidence]:
        """Begin the way back: add this stage's instances of the tagged classes.

        Masks are refined by colour as those of a result are: a mask that misses the edges of its
        object would give a worse box than the attention.

        Returns:
            The evidence with ``found``: ``bboxes`` [F, 4] tight around the masks, ``labels``,
            ``scores`` and soft ``masks`` [F, h, w] on the grid of the instances.
        """
        return self.located(feats, evidence, self.mined(feats, evidence))

    @torch.no_grad()
    def located(
        self, feats: Sequence[Tensor], evidence: list[Evidence], found: Sequence[InstanceData]
    ) -> list[Evidence]:
        """Add ``found`` as :meth:`validate` does, from boxes with ``labels`` and ``scores``."""
        soft = self.soft_masks(feats, found)
        return [self._with_found(*parts) for parts in zip(evidence, found, soft)]

    def _with_found(self, evidence: Evidence, found: InstanceData, soft: Tensor) -> Evidence:
        stride = evidence.instance_stride
        masks = self.mask_results.refined(soft, found.bboxes, evidence, stride)
        tight = Maps(masks.values >= 0.5, masks.stride).tight_boxes(evidence.img_shape)
        filled = (tight[:, 2:] > tight[:, :2]).all(1, keepdim=True)
        found.bboxes = torch.where(filled, tight, found.bboxes)
        found.masks = masks.resample(stride, evidence.instance_maps().values.shape[-2:]).values
        return evidence.replace(found=found)

    @torch.no_grad()
    def predict(self, feats: Sequence[Tensor], evidence: list[Evidence]) -> list[InstanceData]:
        """Final instances with masks."""
        return self.with_masks(feats, self.detect(feats, evidence), evidence)
