"""Correct localisation on the training images."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from mmlabelpenet.registry import METRICS
from mmlabelpenet.utils import box_iou

from ..functional import mean_over_valid
from .base import (
    ImageMetric,
    LabelledValues,
    boxes_of,
    gt_instances_of,
    labels_of,
    pool_values,
    to_numpy,
)


@METRICS.register_module()
class CorLocMetric(ImageMetric):
    """Share of the images of a class in which the best box of the class is correct.

    For each class of an image, only the predicted box with the highest score counts; it is
    correct if it overlaps some object of the class that is not difficult. A class without
    any box is a miss. Gives ``corloc``, the mean over classes that occur.

    Source: Deselaers, Alexe, Ferrari, Weakly supervised localization and learning with
    generic knowledge, IJCV 2012. Pixels are inclusive as in :class:`VOCDetectionMetric`.

    Args:
        iou_thr: Minimum IoU of a correct box.
        **kwargs: See :class:`ImageMetric`.
    """

    def __init__(self, iou_thr: float = 0.5, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.iou_thr = iou_thr

    def measure(self, data_sample: Mapping[str, Any]) -> LabelledValues:
        """Check the best box of each class of one image: 1 if it is correct, else 0."""
        predicted, gt = data_sample['pred_instances'], gt_instances_of(data_sample)
        labels, gt_labels = labels_of(predicted), labels_of(gt)
        ranked = np.argsort(-to_numpy(predicted['scores']), kind='stable')
        found, first = np.unique(labels[ranked], return_index=True)
        boxes = self.predicted_boxes(data_sample)[ranked[first]]
        overlaps = box_iou(boxes, boxes_of(gt), self.inclusive_boxes)
        same_class = found[:, None] == gt_labels
        correct = found[((overlaps >= self.iou_thr) & same_class).any(axis=1)]
        present = np.unique(gt_labels)
        return present, np.isin(present, correct)

    def compute_metrics(self, results: list[LabelledValues]) -> dict[str, float]:
        """Compute the share of correct boxes per class and its mean over classes."""
        _, of_class = pool_values(results, len(self.classes))
        share = [mean_over_valid(correct) for correct in of_class]
        self.log_table('localisation', {'photos': [*map(len, of_class)], 'CorLoc': share})
        return {'corloc': mean_over_valid(share)}
