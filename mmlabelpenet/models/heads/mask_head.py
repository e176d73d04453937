"""Mask head that learns from soft maps of which a part is left open."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmcv.ops import roi_align
from mmdet.structures.bbox import bbox2roi
from mmengine.config import ConfigDict
from mmengine.model import BaseModule, ModuleList
from mmengine.structures import InstanceData
from torch import Tensor

from mmlabelpenet.registry import MODELS
from mmlabelpenet.structures import Evidence

from ..grids import inside_boxes, maps_on_image, paste_maps, refined, tight_boxes, valid_cells
from .roi_features import build_extractor


def mask_targets(maps: Tensor, bboxes: Tensor, assigned: Tensor, size: int) -> Tensor:
    """Cut the map of its instance out for every region.

    Args:
        maps: [M, h, w] in 0..1, in the frame of ``bboxes``.
        bboxes: [K, 4] xyxy in cells of ``maps``.
        assigned: [K], index of the map of each region.
        size: Side of a target.

    Returns:
        [K, size, size] in 0..1, bilinear.
    """
    rois = torch.cat([assigned[:, None].to(bboxes), bboxes], dim=1)
    return roi_align(maps[:, None].float().contiguous(), rois, size, 1.0, 2, 'avg', True)[:, 0]


def shares_within_better(masks: Tensor, labels: Tensor, cells: int = 256) -> Tensor:
    """How far each mask lies within a better one of its class.

    Args:
        masks: [M, H, W] bool, the best first.
        labels: [M].
        cells: Of large masks every n-th row and column is looked at, so that no more are left.

    Returns:
        [M] in 0..1: the largest share of it that one of those before it covers.
    """
    if len(masks) == 0:
        return masks.new_zeros(0, dtype=torch.float)
    step = -(-max(masks.shape[1:]) // cells)
    flat = masks[:, ::step, ::step].flatten(1).float()
    shares = (flat @ flat.T) / flat.sum(1, keepdim=True).clamp(min=1)
    return (shares * (labels[:, None] == labels)).tril(-1).amax(1)


@MODELS.register_module()
class WeakMaskHead(BaseModule):
    """Mmdet's FCN mask head, trained on trimaps instead of true masks.

    Args:
        num_classes: C.
        fusion: Arguments of :class:`LevelFusion`; a finer stride than that of boxes pays.
        roi_size: Side of the RoIAlign grid; a mask has twice that side.
        num_convs: Number of 3 x 3 convolutions before the upsampling.
        channels: Their channels.
        class_agnostic: Whether one mask serves all classes.
        mask_threshold: Least probability of a pixel of the final mask.
        refine: Config of a module that fits final masks to the colours of the image, e.g.
            ``PixelAffinity``, or a list of them, one after the other; None leaves them as they
            are. What is fitted is divided by its peak before ``mask_threshold`` is asked for.
        refine_best: Detections of an image, by score, whose masks are fitted.
        tighten: Share of the way that a final box goes to the tight box of its mask.
        part_penalty: Share of its score that a detection loses where its mask lies within that
            of a better one of its class: weak labels teach parts of objects too.
        loss_weight: Factor of the loss.
        init_cfg: mmengine's initialisation.
    """

    def __init__(
        self,
        num_classes: int,
        fusion: dict,
        roi_size: int = 14,
        num_convs: int = 4,
        channels: int = 256,
        class_agnostic: bool = False,
        mask_threshold: float = 0.5,
        refine: dict | Sequence[dict] | None = None,
        refine_best: int = 20,
        tighten: float = 0.0,
        part_penalty: float = 0.0,
        loss_weight: float = 1.0,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        self.fusion = MODELS.build(dict(type='LevelFusion', **fusion))
        self.extractor = build_extractor(self.fusion, roi_size)
        self.size = 2 * roi_size
        self.class_agnostic = class_agnostic
        self.loss_weight = loss_weight
        self.paste_cfg = ConfigDict(mask_thr_binary=mask_threshold)
        refiners = [refine] if isinstance(refine, dict) else refine or []
        self.refiners = ModuleList([MODELS.build(one) for one in refiners])
        self.refine_best = refine_best
        self.tighten = tighten
        self.part_penalty = part_penalty
        self.fcn = MODELS.build(
            dict(
                type='mmdet.FCNMaskHead',
                num_convs=num_convs,
                in_channels=self.fusion.out_channels,
                conv_out_channels=channels,
                num_classes=num_classes,
                class_agnostic=class_agnostic,
                loss_mask=dict(type='mmdet.CrossEntropyLoss', use_mask=True),
            )
        )

    def forward(self, feats: Sequence[Tensor], bboxes: Sequence[Tensor]) -> Tensor:
        """Mask logits [K, C (or 1), size, size] of the regions of a batch.

        Args:
            feats: Backbone maps of B images.
            bboxes: For each image its regions [K_i, 4] xyxy in input pixels.
        """
        rois = bbox2roi(list(bboxes))
        return self.fcn(self.extractor((self.fusion(feats),), rois))

    def label_logits(
        self, feats: Sequence[Tensor], bboxes: Sequence[Tensor], labels: Tensor
    ) -> Tensor:
        """Mask logits [K, size, size] of every region's own class (``labels`` [K])."""
        logits = self(feats, bboxes).float()
        if self.class_agnostic:
            return logits[:, 0]
        return logits[torch.arange(len(labels), device=labels.device), labels]

    def loss(
        self,
        feats: Sequence[Tensor],
        regions: Sequence[InstanceData],
        targets: Sequence[Tensor],
        valid: Sequence[Tensor],
    ) -> dict[str, Tensor]:
        """Binary cross entropy over the decided pixels, weighted by region.

        Args:
            feats: Backbone maps of B images.
            regions: For each image its regions with ``bboxes`` [K_i, 4], ``labels`` [K_i] and
                ``weights`` [K_i], 0 where a region doesn't count.
            targets: For each image [K_i, size, size] in 0..1.
            valid: For each image [K_i, size, size], False where a pixel is left open.

        Returns:
            ``loss_mask``: the mean over decided pixels of each region, then over regions.
        """
        region = InstanceData.cat(list(regions))
        labels = region.labels.clamp(min=0)
        logits = self.label_logits(feats, [r.bboxes for r in regions], labels)
        decided = torch.cat(list(valid)).float()
        pixels = F.binary_cross_entropy_with_logits(
            logits, torch.cat(list(targets)), weight=decided, reduction='none'
        )
        mean = pixels.sum((1, 2)) / decided.sum((1, 2)).clamp(min=1)
        count = (region.weights > 0).sum().clamp(min=1)
        return dict(loss_mask=self.loss_weight * (mean * region.weights).sum() / count)

    def paste(
        self,
        feats: Sequence[Tensor],
        results: Sequence[InstanceData],
        evidence: Sequence[Evidence],
    ) -> list[InstanceData]:
        """Add masks to detections and bring both to the image's own size.

        Args:
            feats: Backbone maps of B images.
            results: For each image M_i detections with ``bboxes`` in input pixels, ``labels``,
                ``scores`` falling.
            evidence: For each image its evidence, as :meth:`masks` needs it.

        Returns:
            The detections with ``bboxes`` in image pixels and ``masks`` [M_i, H, W] bool.
        """
        labels = torch.cat([result.labels for result in results])
        logits = self.label_logits(feats, [result.bboxes for result in results], labels)
        split = logits.sigmoid().split([len(result) for result in results])
        pasted = []
        for result, soft, one in zip(results, split, evidence):
            result = result.clone()
            result.bboxes = result.bboxes / result.bboxes.new_tensor(one.scale_factor * 2)
            pasted.append(self.finish(soft, result, one))
        return pasted

    def finish(self, soft: Tensor, result: InstanceData, evidence: Evidence) -> InstanceData:
        """Add masks to one image's detections; boxes and scores follow from them.

        Args:
            soft: [M, size, size] in 0..1, of each detection's own class.
            result: M detections with ``bboxes`` in image pixels, ``labels``, ``scores`` falling.
            evidence: As :meth:`masks` needs it.

        Returns:
            The detections with ``masks`` [M, H, W] bool, ``scores`` falling.
        """
        result = result.clone()
        result.masks = self.masks(soft, result, evidence)
        if self.part_penalty > 0:
            shares = shares_within_better(result.masks, result.labels)
            result.scores = result.scores * (1 - self.part_penalty * shares)
            result = result[result.scores.argsort(descending=True, stable=True)]
        if self.tighten > 0:
            tight = tight_boxes(result.masks)
            filled = (tight[:, 2:] > tight[:, :2]).all(1, keepdim=True)
            share = self.tighten * filled
            result.bboxes = result.bboxes + share * (tight - result.bboxes)
        return result

    def masks(self, soft: Tensor, result: InstanceData, evidence: Evidence) -> Tensor:
        """Masks of one image's detections: the best ones fitted to it where that is asked for.

        Args:
            soft: [M, size, size] in 0..1, of each detection's own class.
            result: M detections with ``bboxes`` in image pixels, ``labels``, ``scores`` falling.
            evidence: With ``ori_shape``; with ``scale_factor``, ``image`` and perhaps ``flip``
                where masks are fitted.

        Returns:
            [M, H, W] bool.
        """
        best = self.refine_best if len(self.refiners) > 0 else 0
        return torch.cat(
            [
                self.fitted_masks(soft[:best], result[:best], evidence),
                self.plain_masks(soft[best:], result[best:], evidence.ori_shape),
            ]
        )

    def fitted_maps(
        self, soft: Tensor, bboxes: Tensor, image: Tensor, stride: int
    ) -> tuple[Tensor, int]:
        """Soft masks on a grid of the image, fitted to its colours where that is asked for.

        Args:
            soft: [M, size, size] in 0..1, masks of regions.
            bboxes: [M, 4] xyxy, the regions in input pixels.
            image: [3, h, w] as the network sees it, without padding.
            stride: Of the grid that they are pasted on.

        Returns:
            [M, h', w'] in 0..1, and the stride of their grid: the last refiner's.
        """
        maps = paste_maps(soft, bboxes / stride, valid_cells(image.shape[1:], stride))
        return refined(self.refiners, image, maps, stride)

    def plain_masks(
        self, soft: Tensor, result: InstanceData, ori_shape: tuple[int, ...]
    ) -> Tensor:
        """Soft masks pasted into their boxes as they are; see :meth:`masks`."""
        channels = 1 if self.class_agnostic else self.fcn.num_classes
        logits = soft.logit(1e-6)[:, None].expand(-1, channels, -1, -1)
        copy = result.clone()
        copy.bboxes = copy.bboxes.clone()  # mmdet scales them in place
        meta = dict(ori_shape=tuple(ori_shape[:2]), scale_factor=(1.0, 1.0))
        given = [logits], [copy], [meta], self.paste_cfg
        return self.fcn.predict_by_feat(*given, rescale=True)[0].masks

    def fitted_masks(self, soft: Tensor, result: InstanceData, evidence: Evidence) -> Tensor:
        """Soft masks fitted to the image within their boxes; see :meth:`masks`."""
        height, width = evidence.ori_shape[:2]
        if len(result) == 0:
            return soft.new_zeros((0, height, width), dtype=torch.bool)
        image = evidence.image.flip(-1) if evidence.get('flip') else evidence.image
        boxes = result.bboxes * result.bboxes.new_tensor(evidence.scale_factor * 2)
        fitted = self.fitted_maps(soft, boxes, image, self.refiners[0].stride)
        maps = maps_on_image(*fitted, evidence)
        inside = inside_boxes(result.bboxes, height, width)
        return (maps >= self.paste_cfg.mask_thr_binary) & inside
