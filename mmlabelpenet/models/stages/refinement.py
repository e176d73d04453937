"""Module 3: instance refinement, from boxes and attention to masks."""

from collections.abc import Sequence

import torch
from mmengine.structures import InstanceData
from torch import Tensor

from mmlabelpenet.registry import MODELS
from mmlabelpenet.structures import Evidence

from ..grids import paste_maps, resample, valid_cells
from ..heads import mask_targets
from ..task_modules import assign_pseudo_labels, sample_rois
from .base import Stage


class MaskTeaching:
    """How a stage teaches a mask head from soft maps of the pseudo instances.

    Args:
        foreground: Least value of a map that is foreground.
        background: Greatest value that is background; between the two a pixel is left open.
        num_samples: Regions that learn in an image.
        pos_iou: Least IoU of a proposal with the pseudo box whose map it learns.
    """

    def __init__(
        self,
        foreground: float = 0.5,
        background: float = 0.1,
        num_samples: int = 16,
        pos_iou: float = 0.5,
    ) -> None:
        self.foreground = foreground
        self.background = background
        self.num_samples = num_samples
        self.pos_iou = pos_iou

    @torch.no_grad()
    def regions(self, evidence: Evidence, num_classes: int) -> InstanceData:
        """Draw regions around the pseudo instances: at most ``num_samples`` with their labels."""
        pseudo = evidence.pseudo_instances
        bboxes = torch.cat([pseudo.bboxes, evidence.proposals.bboxes])
        assigned = assign_pseudo_labels(
            bboxes, pseudo, num_classes, pos_iou=self.pos_iou, neg_iou=(0.0, 0.0)
        )
        if len(pseudo) == 0:
            assigned.weights = torch.zeros_like(assigned.weights)
            assigned.labels = torch.zeros_like(assigned.labels)
        return sample_rois(assigned, num_classes, self.num_samples, pos_fraction=1.0)

    @torch.no_grad()
    def targets(
        self, maps: Tensor, stride: int, regions: InstanceData, size: int
    ) -> tuple[Tensor, Tensor]:
        """Binary targets and decided pixels, both [K, size, size], from maps [M, h, w]."""
        if len(maps) == 0:
            shape = (len(regions), size, size)
            return maps.new_zeros(shape), maps.new_zeros(shape, dtype=torch.bool)
        soft = mask_targets(maps, regions.bboxes / stride, regions.assigned, size)
        foreground = soft >= self.foreground
        return foreground.float(), foreground | (soft <= self.background)


@MODELS.register_module()
class RefinementStage(Stage):
    """Turns attention inside pseudo boxes into trimaps and teaches a mask head (METHOD 3.3).

    Args:
        num_classes: C.
        mask_head: Arguments of :class:`WeakMaskHead`.
        teaching: Arguments of :class:`MaskTeaching`: the trimap's thresholds.
        hand_on_fitted: Whether the masks that :meth:`propagate` hands on are fitted to the image
            as those of a result are (``refine`` of the mask head): what learns from a mask as
            the head sees it, cut at one half, learns what is wrong with it too.
        init_cfg: mmengine's initialisation.

    Raises:
        ValueError: If masks shall be fitted and the mask head has nothing to fit them by.
    """

    needs = 'detection'
    makes_masks = True

    def __init__(
        self,
        num_classes: int,
        mask_head: dict,
        teaching: dict | None = None,
        hand_on_fitted: bool = False,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        self.num_classes = num_classes
        self.hand_on_fitted = hand_on_fitted
        self.teaching = MaskTeaching(**(teaching or {}))
        self.mask_head = MODELS.build(
            dict(type='WeakMaskHead', num_classes=num_classes, **mask_head)
        )
        if hand_on_fitted and not self.mask_head.refiners:
            raise ValueError('hand_on_fitted fits masks by mask_head.refine, which is not set')

    def loss(self, feats: Sequence[Tensor], evidence: list[Evidence]) -> dict[str, Tensor]:
        """Pixel loss ``loss_mask`` on the trimaps."""
        regions = [self.teaching.regions(e, self.num_classes) for e in evidence]
        pairs = [
            self.teaching.targets(
                e.pseudo_instances.attention, e.instance_stride, region, self.mask_head.size
            )
            for e, region in zip(evidence, regions)
        ]
        return self.mask_head.loss(feats, regions, *zip(*pairs))

    @torch.no_grad()
    def propagate(self, feats: Sequence[Tensor], evidence: list[Evidence]) -> list[Evidence]:
        """Give every pseudo instance the mask that the head sees in its box.

        Those that have masks already keep them: true ones, in an upper bound.

        Returns:
            The evidence with ``masks`` of its pseudo instances. Where masks are fitted to the
            image on a finer grid than that of the instances, all their maps are brought onto it,
            and ``instance_stride`` tells so.
        """
        if 'masks' in evidence[0].pseudo_instances:
            return evidence
        counts = [len(e.pseudo_instances) for e in evidence]
        labels = torch.cat([e.pseudo_instances.labels for e in evidence])
        logits = self.mask_head.label_logits(
            feats, [e.pseudo_instances.bboxes for e in evidence], labels
        )
        finer = []
        for one, masks in zip(evidence, logits.sigmoid().split(counts)):
            one = one.clone()
            if self.hand_on_fitted:
                one.pseudo_instances = self._with_fitted(one, masks)
            else:
                pseudo = one.pseudo_instances.clone()
                size = pseudo.attention.shape[-2:]
                pseudo.masks = paste_maps(masks, pseudo.bboxes / one.instance_stride, size)
                one.pseudo_instances = pseudo
            finer.append(one)
        return finer

    def _with_fitted(self, evidence: Evidence, masks: Tensor) -> InstanceData:
        """Pseudo instances with masks fitted to the image, on the finer one of both grids."""
        pseudo, stride = evidence.pseudo_instances.clone(), evidence.instance_stride
        maps, fine = self.mask_head.fitted_maps(masks, pseudo.bboxes, evidence.image, stride)
        finest = min(fine, stride)
        size = valid_cells(evidence.image.shape[1:], finest)
        pseudo.attention = resample(pseudo.attention[None], stride, finest, size)[0]
        pseudo.masks = resample(maps[None], fine, finest, size)[0]
        evidence.set_metainfo(dict(instance_stride=finest))
        return pseudo

    def score_regions(
        self, feats: Sequence[Tensor], evidence: list[Evidence]
    ) -> list[tuple[Tensor, Tensor]]:
        """None of its own: :attr:`needs` names the stage whose boxes it gives masks to.

        Raises:
            NotImplementedError: Always.
        """
        raise NotImplementedError(f'refinement takes the boxes of {self.needs}')

    @torch.no_grad()
    def predict(self, feats: Sequence[Tensor], evidence: list[Evidence]) -> list[InstanceData]:
        """The detections of the stage before, with masks, in image pixels."""
        return self.mask_head.paste(feats, [e.detections for e in evidence], evidence)
