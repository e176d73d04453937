"""Box average precision of PASCAL VOC."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mmlabelpenet.registry import METRICS
from mmlabelpenet.utils import box_iou

from ..functional import (
    ImageMatches,
    match_image,
    mean_over_valid,
    per_class_average_precision,
)
from ..functional.average_precision import AP_MODES
from .base import ImageMetric, boxes_of, labels_of, threshold_name, to_numpy


@METRICS.register_module()
class VOCDetectionMetric(ImageMetric):
    """Detection AP with VOC's rules: each object is found once, difficult ones do not count.

    Gives ``bbox_mAP_{threshold}`` for each IoU threshold, the mean over the classes that
    occur. Overlap is counted in inclusive pixels, as the official devkit counts (a box from
    pixel 0 to pixel 9 is 10 wide) and as mmdet's own ``VOCMetric`` does, unless the data set
    says ``inclusive_boxes=False``. Equal scores keep the order of the data set; of objects that
    a prediction overlaps equally the first one counts, difficult ones last.

    Args:
        iou_thrs: Overlaps that suffice.
        eval_mode: ``'area'`` (VOC 2010 and later) or ``'11points'`` (VOC 2007).
        collect_device: See :class:`ImageMetric`.
        prefix: See :class:`ImageMetric`.
    """

    def __init__(
        self,
        iou_thrs: Sequence[float] = (0.25, 0.5, 0.75),
        eval_mode: str = 'area',
        collect_device: str = 'cpu',
        prefix: str | None = None,
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        if eval_mode not in AP_MODES:
            raise ValueError(f'eval_mode must be one of {AP_MODES}, but is {eval_mode!r}')
        self.iou_thrs = tuple(iou_thrs)
        self.eval_mode = eval_mode

    def measure(self, data_sample: Mapping[str, Any]) -> ImageMatches:
        """Match the predicted boxes of one image with its true boxes."""
        predicted = data_sample['pred_instances']
        true, ignored = data_sample['gt_instances'], data_sample.get('ignored_instances')
        true_boxes = np.concatenate([boxes_of(true), boxes_of(ignored)])
        true_labels = np.concatenate([labels_of(true), labels_of(ignored)])
        difficult = np.arange(len(true_labels)) >= len(labels_of(true))
        return match_image(
            labels_of(predicted),
            to_numpy(predicted['scores']),
            true_labels,
            box_iou(self.predicted_boxes(data_sample), true_boxes, self.inclusive_boxes),
            difficult,
        )

    def compute_metrics(self, results: list[ImageMatches]) -> dict[str, float]:
        """Compute the mean average precision at each threshold."""
        table = per_class_average_precision(
            results, len(self.classes), self.iou_thrs, self.eval_mode
        )
        columns = {'objects': table['num_true'], 'boxes': table['num_predictions']}
        for iou_thr, ap, recall in zip(self.iou_thrs, table['ap'], table['recall']):
            columns |= {f'recall@{iou_thr:g}': recall, f'AP@{iou_thr:g}': ap}
        self.log_table(f'boxes, {self.eval_mode}', columns)
        return {
            threshold_name('bbox_mAP', iou_thr): mean_over_valid(ap)
            for iou_thr, ap in zip(self.iou_thrs, table['ap'])
        }
