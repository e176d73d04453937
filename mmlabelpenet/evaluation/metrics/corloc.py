"""Correct localisation on the training images."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from mmlabelpenet.registry import METRICS
from mmlabelpenet.utils import box_iou

from ..functional import mean_over_valid
from .base import ImageMetric, boxes_of, labels_of, to_numpy


@dataclass(frozen=True)
class Localised:
    """Of one image: the classes that it holds, and whether each was localised."""

    labels: np.ndarray
    correct: np.ndarray


@METRICS.register_module()
class CorLocMetric(ImageMetric):
    """Share of the images holding a class in which the class's best box is right.

    Of each class that an image holds, only the predicted box with the highest score counts; it
    is right when it overlaps some object of the class that is not difficult. A class without
    any box is a miss. Gives ``corloc``, the mean over classes that occur.

    Source: Deselaers, Alexe, Ferrari, Weakly supervised localization and learning with
    generic knowledge, IJCV 2012. Pixels are inclusive as in :class:`VOCDetectionMetric`.

    Args:
        iou_thr: Overlap that suffices.
        collect_device: See :class:`ImageMetric`.
        prefix: See :class:`ImageMetric`.
    """

    def __init__(
        self, iou_thr: float = 0.5, collect_device: str = 'cpu', prefix: str | None = None
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        self.iou_thr = iou_thr

    def measure(self, data_sample: Mapping[str, Any]) -> Localised:
        """Check the best box of each class that one image holds."""
        predicted, true = data_sample['pred_instances'], data_sample['gt_instances']
        labels, true_labels = labels_of(predicted), labels_of(true)
        present = np.unique(true_labels)
        ranked = np.argsort(-to_numpy(predicted['scores']), kind='stable')
        found, first = np.unique(labels[ranked], return_index=True)
        top = ranked[first]
        overlaps = box_iou(
            self.predicted_boxes(data_sample)[top], boxes_of(true), self.inclusive_boxes
        )
        same_class = found[:, None] == true_labels
        right = found[((overlaps >= self.iou_thr) & same_class).any(axis=1)]
        return Localised(present, np.isin(present, right))

    def compute_metrics(self, results: list[Localised]) -> dict[str, float]:
        """Compute the share of right boxes per class and its mean over classes."""
        num_classes = len(self.classes)
        labels = np.concatenate([np.zeros(0, dtype=int), *(record.labels for record in results)])
        correct = np.concatenate([np.zeros(0), *(record.correct for record in results)])
        images = np.bincount(labels, minlength=num_classes)
        right = np.bincount(labels, weights=correct, minlength=num_classes)
        share = np.divide(right, images, out=np.full(num_classes, np.nan), where=images > 0)
        self.log_table('localisation', {'photos': images, 'CorLoc': share})
        return {'corloc': mean_over_valid(share)}
