"""Mask average precision and best overlap on PASCAL VOC."""

from collections.abc import Mapping, Sequence
from typing import Any

from mmlabelpenet.registry import METRICS

from ..functional import (
    PhotoMatches,
    intersect_masks,
    mask_iou,
    match_photo,
    mean_over_valid,
    per_class_average_precision,
    per_class_best_overlap,
)
from .base import PhotoMetric, labels_of, require, threshold_name, to_numpy

# value of the pixels that VOC leaves undecided
VOID = 255


@METRICS.register_module()
class VOCInstanceMetric(PhotoMetric):
    """Mask AP by the procedure that weakly supervised papers report with, and ABO.

    Reads ``pred_instances`` (labels, scores, masks) and ``gt_mask_instances`` (labels, masks)
    in pixels of the original photo; masks are bool tensors [M, H, W] or RLE dicts. Gives
    ``segm_mAP_{threshold}``, the mean over classes that occur, and ``segm_ABO``, the mean over
    classes of the best overlap of each true instance.

    VOC draws a void line around every object. As in chainercv, a predicted pixel on it counts
    as outside of the object. With ``ignore_void`` such pixels are taken out of the predictions
    first, which gives higher figures (boxes filled on VOC12-mini: AP@.5 of .54 for .39); it
    needs ``gt_sem_seg``. Never compare figures of one kind with figures of the other.

    Args:
        iou_thrs: Overlaps that suffice.
        ignore_void: Whether predicted pixels on void count neither way.
        collect_device: See :class:`PhotoMetric`.
        prefix: See :class:`PhotoMetric`.
    """

    def __init__(
        self,
        iou_thrs: Sequence[float] = (0.25, 0.5, 0.7, 0.75),
        ignore_void: bool = False,
        collect_device: str = 'cpu',
        prefix: str | None = None,
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        self.iou_thrs = tuple(iou_thrs)
        self.ignore_void = ignore_void

    def measure(self, data_sample: Mapping[str, Any]) -> PhotoMatches:
        """Match the predicted masks of one photo with its true masks.

        Raises:
            UserError: If the tested stage makes no masks, or the photo has no true masks.
        """
        predicted = data_sample['pred_instances']
        remedy = 'test on a split whose photos have masks, or leave segm out of --eval'
        true = require(data_sample, 'gt_mask_instances', remedy)
        remedy = 'the tested stage makes none, leave segm out of --eval'
        masks = require(predicted, 'masks', remedy)
        if self.ignore_void:
            classes = to_numpy(data_sample['gt_sem_seg']['sem_seg'])
            masks = intersect_masks(masks, classes[0] != VOID)
        return match_photo(
            labels_of(predicted),
            to_numpy(predicted['scores']),
            labels_of(true),
            mask_iou(masks, true['masks']),
        )

    def compute_metrics(self, results: list[PhotoMatches]) -> dict[str, float]:
        """Compute mean average precision at each threshold and the average best overlap."""
        table = per_class_average_precision(results, len(self.classes), self.iou_thrs)
        best = per_class_best_overlap(results, len(self.classes))
        columns = {'objects': table['num_true'], 'masks': table['num_predictions']}
        columns |= {f'AP@{thr:g}': ap for thr, ap in zip(self.iou_thrs, table['ap'])}
        self.log_table('masks', columns | {'ABO': best})
        figures = {
            threshold_name('segm_mAP', thr): mean_over_valid(ap)
            for thr, ap in zip(self.iou_thrs, table['ap'])
        }
        return figures | {'segm_ABO': mean_over_valid(best)}
