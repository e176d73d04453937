"""Module 3: instance refinement, from boxes and attention to masks."""

from collections.abc import Sequence

import torch
from mmengine.structures import InstanceData
from torch import Tensor

from mmlabelpenet.registry import MODELS
from mmlabelpenet.structures import Evidence, grid_size
from mmlabelpenet.structures.maps import paste_maps

from .base import MaskStage


@MODELS.register_module()
class RefinementStage(MaskStage):
    """Supervises a mask head by trimaps of the attention in pseudo boxes (docs/paper/method.md).

    Args:
        num_classes: C.
        mask_head: Arguments of :class:`WeakMaskHead`.
        mask_supervision: Arguments of :class:`MaskSupervision`: the trimap's thresholds.
        mask_results: Arguments of :class:`MaskResults`.
        propagate_refined_masks: Whether :meth:`propagate` refines its masks by the colours of the
            image, as those of a result are (``refine`` of ``mask_results``): module 4 would learn
            the errors of raw masks too.
        init_cfg: mmengine's initialisation.

    Raises:
        ValueError: If masks shall be refined and ``mask_results`` has no refiner.
    """

    needs = ('detection',)

    def __init__(
        self,
        num_classes: int,
        mask_head: dict,
        mask_supervision: dict | None = None,
        mask_results: dict | None = None,
        propagate_refined_masks: bool = False,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        self.propagate_refined_masks = propagate_refined_masks
        self.build_masks(num_classes, mask_head, mask_supervision or {}, mask_results or {})
        if propagate_refined_masks and not self.mask_results.refiners:
            raise ValueError('propagate_refined_masks needs mask_results.refine, which is not set')

    def loss(self, feats: Sequence[Tensor], evidence: list[Evidence]) -> dict[str, Tensor]:
        """Pixel loss ``loss_mask`` on the trimaps."""
        return self.mask_loss(feats, evidence, 'attention')

    @torch.no_grad()
    def propagate(self, feats: Sequence[Tensor], evidence: list[Evidence]) -> list[Evidence]:
        """Add to every pseudo instance the mask that the head predicts in its box.

        Instances that have masks keep them: ground-truth masks, in an upper bound.

        Returns:
            The evidence with ``masks`` of its pseudo instances. Where masks are refined on a finer
            grid than that of the instances, all their maps are resampled to it.
        """
        if 'masks' in evidence[0].pseudo_instances:
            return evidence
        soft = self.soft_masks(feats, [one.pseudo_instances for one in evidence])
        add = self._with_refined if self.propagate_refined_masks else self._with_pasted
        return [add(one, masks) for one, masks in zip(evidence, soft)]

    def _with_pasted(self, evidence: Evidence, soft: Tensor) -> Evidence:
        """The evidence with raw masks on the grid of the instances."""
        pseudo, stride = evidence.pseudo_instances, evidence.instance_stride
        size = pseudo.attention.shape[-2:]
        return evidence.with_pseudo(masks=paste_maps(soft, pseudo.bboxes / stride, size))

    def _with_refined(self, evidence: Evidence, soft: Tensor) -> Evidence:
        """The evidence with refined masks, on the finer one of both grids."""
        bboxes, stride = evidence.pseudo_instances.bboxes, evidence.instance_stride
        maps = {'attention': evidence.instance_maps()}
        maps['masks'] = self.mask_results.refined(soft, bboxes, evidence, stride)
        finest = int(min(one.stride for one in maps.values()))
        size = grid_size(evidence.img_shape, finest)
        fields = {name: one.resample(finest, size).values for name, one in maps.items()}
        return evidence.with_pseudo(**fields).replace(instance_stride=finest)

    @torch.no_grad()
    def predict(self, feats: Sequence[Tensor], evidence: list[Evidence]) -> list[InstanceData]:
        """The detections of module 2, with masks."""
        return self.with_masks(feats, [one.detections for one in evidence], evidence)
