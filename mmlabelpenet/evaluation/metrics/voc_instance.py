"""Mask average precision and best overlap on PASCAL VOC."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mmlabelpenet.registry import METRICS

from ..functional import (
    ImageMatches,
    mask_iou,
    match_image,
    mean_over_valid,
    per_class_average_precision,
    per_class_best_overlap,
)
from .base import ImageMetric, labels_of, masks_of, threshold_name, to_numpy

# COCO's, as pycocotools computes them
RECALL_IOU_THRS = tuple(np.linspace(0.5, 0.95, 10).tolist())


@METRICS.register_module()
class VOCInstanceMetric(ImageMetric):
    """Mask AP by the procedure of weakly supervised papers, average recall and ABO.

    Reads ``pred_instances`` (labels, scores, masks) and ``gt_mask_instances`` (labels, masks)
    in pixels of the original image; masks are bool tensors [M, H, W] or RLE dicts. Gives
    ``segm_mAP_{threshold}``, the mean over classes that occur; ``segm_AR``, the mean over
    classes of average recall, the share of objects found, averaged over IoU .5, .55, ..., .95;
    and ``segm_ABO``, the mean over classes of the best overlap of each object.

    A prediction claims the object of its class with the largest IoU, and the first claim
    by score finds it: the procedure of chainercv's ``eval_instance_segmentation_voc``, after
    Hariharan et al. (SDS, ECCV 2014). Average recall is that of Hosang et al. (What makes for
    effective detection proposals?, PAMI 2016) with these claims.

    VOC draws a void line around every object. As in chainercv, a predicted pixel on it counts
    as outside of the object. With ``ignore_void`` such pixels are removed from the predictions
    first, which gives higher figures (ground-truth boxes filled on VOC12-mini: AP@.5 of .54
    instead of .39); it needs ``gt_sem_seg``. Never compare figures of one kind with figures of
    the other.

    Args:
        iou_thrs: Minimum IoUs of a found object.
        ignore_void: Whether predicted pixels on void count neither way.
        **kwargs: See :class:`ImageMetric`.
    """

    def __init__(
        self,
        iou_thrs: Sequence[float] = (0.25, 0.5, 0.7, 0.75),
        ignore_void: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.iou_thrs = tuple(iou_thrs)
        self.ignore_void = ignore_void

    def measure(self, data_sample: Mapping[str, Any]) -> ImageMatches:
        """Match the predicted masks of one image with its ground-truth masks.

        Raises:
            UserError: See :func:`masks_of`.
        """
        masks, gt_masks = masks_of(data_sample, self.ignore_void)
        predicted = data_sample['pred_instances']
        return match_image(
            labels_of(predicted),
            to_numpy(predicted['scores']),
            labels_of(data_sample['gt_mask_instances']),
            mask_iou(masks, gt_masks),
        )

    def compute_metrics(self, results: list[ImageMatches]) -> dict[str, float]:
        """Compute average precision at each threshold, average recall and best overlap."""
        table = per_class_average_precision(results, len(self.classes), self.iou_thrs)
        best = per_class_best_overlap(results, len(self.classes))
        columns = {'objects': table['num_gt'], 'masks': table['num_predictions']}
        columns |= {f'AP@{thr:g}': ap for thr, ap in zip(self.iou_thrs, table['ap'])}
        found = per_class_average_precision(results, len(self.classes), RECALL_IOU_THRS)
        recall = found['recall'].mean(axis=0)
        self.log_table('masks', columns | {'AR': recall, 'ABO': best})
        figures = {
            threshold_name('segm_mAP', thr): mean_over_valid(ap)
            for thr, ap in zip(self.iou_thrs, table['ap'])
        }
        return figures | {'segm_AR': mean_over_valid(recall), 'segm_ABO': mean_over_valid(best)}
