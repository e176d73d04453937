"""Box average precision of PASCAL VOC."""

from collections.abc import Mapping, Sequence
from typing import Any

from mmlabelpenet.registry import METRICS
from mmlabelpenet.utils import box_iou

from ..functional import (
    ImageMatches,
    match_image,
    mean_over_valid,
    per_class_average_precision,
    require_ap_mode,
)
from .base import ImageMetric, gt_boxes_of, labels_of, threshold_name, to_numpy


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
        return {
            threshold_name('bbox_mAP', iou_thr): mean_over_valid(ap)
            for iou_thr, ap in zip(self.iou_thrs, table['ap'])
        }
