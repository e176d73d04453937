"""Average precision of boxes and masks, and best overlap of masks, on PASCAL VOC."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mmlabelpenet.registry import METRICS
from mmlabelpenet.utils import box_iou

from ..functional import (
    ImageMatches,
    mask_iou,
    match_image,
    mean_over_valid,
    per_class_average_precision,
    per_class_best_overlap,
    require_ap_mode,
)
from .base import (
    ImageMetric,
    counted_pixels,
    gt_boxes_of,
    labels_of,
    masks_of,
    threshold_name,
    to_numpy,
)

# COCO's, as pycocotools computes them
RECALL_IOU_THRS = tuple(np.linspace(0.5, 0.95, 10).tolist())


@METRICS.register_module()
class VOCDetectionMetric(ImageMetric):
    """Detection AP by VOC's rules: each object is found once, difficult ones do not count.

    Gives ``bbox_mAP_{threshold}`` for each IoU threshold, the mean over the classes that
    occur. Overlap is counted in inclusive pixels, as in the official devkit (a box from
    pixel 0 to pixel 9 is 10 wide) and in mmdet's own ``VOCMetric``, unless the data set
    has ``inclusive_boxes=False``. Equal scores keep the order of the data set; of objects that
    a prediction overlaps equally the first one counts, difficult ones last.

    Args:
        iou_thrs: Minimum IoUs of a found object.
        eval_mode: ``'area'`` (VOC 2010 and later) or ``'11points'`` (VOC 2007).
        **kwargs: See :class:`ImageMetric`.
    """

    def __init__(
        self,
        iou_thrs: Sequence[float] = (0.25, 0.5, 0.75),
        eval_mode: str = 'area',
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.iou_thrs = tuple(iou_thrs)
        self.eval_mode = require_ap_mode(eval_mode)

    def measure(self, data_sample: Mapping[str, Any]) -> ImageMatches:
        """Match the predicted boxes of one image with its ground-truth boxes."""
        predicted, gt = data_sample['pred_instances'], gt_boxes_of(data_sample)
        boxes = self.predicted_boxes(data_sample)
        return match_image(
            labels_of(predicted),
            to_numpy(predicted['scores']),
            gt['gt_labels'],
            box_iou(boxes, gt['gt_bboxes'], self.inclusive_boxes),
            gt['difficult'],
        )

    def compute_metrics(self, results: list[ImageMatches]) -> dict[str, float]:
        """Compute the mean average precision at each threshold."""
        table = per_class_average_precision(
            results, len(self.classes), self.iou_thrs, self.eval_mode
        )
        columns = {'objects': table['num_gt'], 'boxes': table['num_predictions']}
        for iou_thr, ap, recall in zip(self.iou_thrs, table['ap'], table['recall']):
            columns |= {f'recall@{iou_thr:g}': recall, f'AP@{iou_thr:g}': ap}
        self.log_table(f'boxes, {self.eval_mode}', columns)
        return _mean_ap('bbox_mAP', self.iou_thrs, table)


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
        masks, gt_masks = masks_of(data_sample)
        region = counted_pixels(data_sample, self.ignore_void)
        predicted = data_sample['pred_instances']
        labels, gt_labels = labels_of(predicted), labels_of(data_sample['gt_mask_instances'])
        ious = np.zeros((len(labels), len(gt_labels)))
        # masks of different classes do not match, whatever their overlap
        for label in np.unique(gt_labels):
            rows, columns = np.flatnonzero(labels == label), np.flatnonzero(gt_labels == label)
            pair = [masks[row] for row in rows], [gt_masks[column] for column in columns]
            ious[np.ix_(rows, columns)] = mask_iou(*pair, region)
        return match_image(labels, to_numpy(predicted['scores']), gt_labels, ious)

    def compute_metrics(self, results: list[ImageMatches]) -> dict[str, float]:
        """Compute average precision at each threshold, average recall and best overlap."""
        table = per_class_average_precision(results, len(self.classes), self.iou_thrs)
        found = per_class_average_precision(results, len(self.classes), RECALL_IOU_THRS)
        recall = found['recall'].mean(axis=0)
        best = per_class_best_overlap(results, len(self.classes))
        columns = {'objects': table['num_gt'], 'masks': table['num_predictions']}
        columns |= {f'AP@{thr:g}': ap for thr, ap in zip(self.iou_thrs, table['ap'])}
        self.log_table('masks', columns | {'AR': recall, 'ABO': best})
        figures = _mean_ap('segm_mAP', self.iou_thrs, table)
        return figures | {'segm_AR': mean_over_valid(recall), 'segm_ABO': mean_over_valid(best)}


def _mean_ap(
    name: str, iou_thrs: Sequence[float], table: Mapping[str, np.ndarray]
) -> dict[str, float]:
    """Mean over classes of the AP [T, C] at each threshold."""
    return {
        threshold_name(name, thr): mean_over_valid(ap) for thr, ap in zip(iou_thrs, table['ap'])
    }
