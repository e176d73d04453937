"""Mask head that learns from soft maps with ignored pixels."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmdet.models import FCNMaskHead
from mmdet.structures.bbox import bbox2roi
from mmengine.config import ConfigDict
from mmengine.model import BaseModule
from mmengine.structures import InstanceData
from torch import Tensor

from mmlabelpenet.registry import MODELS

from .roi_features import build_extractor

# Regions that pass the head together on a CPU: more do not fit into its caches.
REGIONS_ON_CPU = 32


def fcn_logits(fcn: FCNMaskHead, roi_feats: Tensor) -> Tensor:
    """What mmdet's mask head gives, in less than half of its time on a CPU.

    Its transposed convolution makes four pixels of each cell, none of which reads another cell: so
    it is a convolution with four times the channels, and only the logits are put in their places.

    Args:
        fcn: A head with a transposed convolution of stride and size 2, as it is by default.
        roi_feats: [K, c, s, s].

    Returns:
        [K, C, 2 * s, 2 * s].
    """
    count = REGIONS_ON_CPU if roi_feats.device.type == 'cpu' else max(1, len(roi_feats))
    return torch.cat([_logits_of_few(fcn, part) for part in roi_feats.split(count)])


def _logits_of_few(fcn: FCNMaskHead, roi_feats: Tensor) -> Tensor:
    for conv in fcn.convs:
        roi_feats = conv(roi_feats)
    weight = fcn.upsample.weight.permute(2, 3, 1, 0).flatten(0, 2)[:, :, None, None]
    pixels = fcn.relu(F.conv2d(roi_feats, weight, fcn.upsample.bias.repeat(4)))
    logits = fcn.conv_logits
    each = F.conv2d(pixels, logits.weight.repeat(4, 1, 1, 1), logits.bias.repeat(4), groups=4)
    return F.pixel_shuffle(each.unflatten(1, (4, -1)).transpose(1, 2).flatten(1, 2), 2)


@MODELS.register_module()
class WeakMaskHead(BaseModule):
    """Mmdet's FCN mask head, trained on trimaps instead of ground-truth masks.

    Args:
        num_classes: C.
        fusion: Arguments of :class:`LevelFusion`; a finer stride than that of boxes helps.
        roi_size: Side of the RoIAlign grid; a mask has twice that side.
        num_convs: Number of 3 x 3 convolutions before the upsampling.
        channels: Their channels.
        class_agnostic: Whether one mask serves all classes.
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
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        self.fusion = MODELS.build(dict(type='LevelFusion', **fusion))
        self.extractor = build_extractor(self.fusion, roi_size)
        self.size = 2 * roi_size
        self.class_agnostic = class_agnostic
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
        return fcn_logits(self.fcn, self.extractor((self.fusion(feats),), bbox2roi(list(bboxes))))

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
        """Binary cross-entropy over the pixels that are not ignored, weighted by region.

        Args:
            feats: Backbone maps of B images.
            regions: For each image its regions with ``bboxes`` [K_i, 4], ``labels`` [K_i] and
                ``weights`` [K_i], 0 for ignored regions.
            targets: For each image [K_i, size, size] in 0..1.
            valid: For each image [K_i, size, size], False for ignored pixels.

        Returns:
            ``loss_mask``: the mean over the valid pixels of each region, then over regions.
        """
        region = InstanceData.cat(list(regions))
        bboxes = [one.bboxes for one in regions]
        logits = self.label_logits(feats, bboxes, region.labels.clamp(min=0))
        decided = torch.cat(list(valid)).float()
        pixels = F.binary_cross_entropy_with_logits(
            logits, torch.cat(list(targets)), weight=decided, reduction='none'
        )
        mean = pixels.sum((1, 2)) / decided.sum((1, 2)).clamp(min=1)
        count = (region.weights > 0).sum().clamp(min=1)
        return dict(loss_mask=(mean * region.weights).sum() / count)

    def paste(self, soft: Tensor, result: InstanceData, ori_shape: Sequence[int]) -> Tensor:
        """Paste soft masks into their boxes.

        Args:
            soft: [M, size, size] in 0..1, of each detection's own class.
            result: M detections with ``bboxes`` in pixels of the original image, ``labels``.
            ori_shape: (H, W) of that image.

        Returns:
            [M, H, W] bool.
        """
        channels = 1 if self.class_agnostic else self.fcn.num_classes
        logits = soft.logit(1e-6)[:, None].expand(-1, channels, -1, -1)
        # A copy, since mmdet scales boxes in place.
        copy = InstanceData(bboxes=result.bboxes.clone(), labels=result.labels)
        meta = dict(ori_shape=tuple(ori_shape[:2]), scale_factor=(1.0, 1.0))
        return self.fcn.predict_by_feat(
            [logits], [copy], [meta], ConfigDict(mask_thr_binary=0.5), rescale=True
        )[0].masks
