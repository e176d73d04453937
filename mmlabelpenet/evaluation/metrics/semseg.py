"""Semantic segmentation."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from mmlabelpenet.datasets.devkit import VOID
from mmlabelpenet.registry import METRICS

from ..functional import mean_over_valid
from .base import ImageMetric, require, to_numpy


@METRICS.register_module()
class SemSegMetric(ImageMetric):
    """Mean IoU over the background and the classes, without void pixels.

    Reads ``pred_sem_seg`` and ``gt_sem_seg`` (``sem_seg`` [1, H, W] of the original image: 0
    background, class c as c + 1, 255 void). Gives ``semseg_mIoU``, the mean over classes that
    occur in the ground truth or in a prediction, counted over the pixels of all images together.
    """

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the data set's classes, after the background."""
        return ('background', *super().classes)

    def measure(self, data_sample: Mapping[str, Any]) -> np.ndarray:
        """Count the pixels of each (ground truth, prediction) pair of classes: [C + 1, C + 1]."""
        size = len(self.classes)
        remedy = 'test photos with masks and a stage that makes masks, or leave semseg out'
        gt, predicted = (
            to_numpy(require(data_sample, name, remedy)['sem_seg']).ravel().astype(np.int64)
            for name in ('gt_sem_seg', 'pred_sem_seg')
        )
        valid = gt != VOID
        pairs = gt[valid] * size + predicted[valid]
        return np.bincount(pairs, minlength=size * size).reshape(size, size)

    def compute_metrics(self, results: list[np.ndarray]) -> dict[str, float]:
        """Compute the IoU per class and its mean."""
        size = len(self.classes)
        confusion = np.sum([np.zeros((size, size), dtype=np.int64), *results], axis=0)
        common = np.diag(confusion)
        union = confusion.sum(axis=0) + confusion.sum(axis=1) - common
        iou = np.divide(common, union, out=np.full(size, np.nan), where=union > 0)
        self.log_table('pixels', {'IoU': iou})
        return {'semseg_mIoU': mean_over_valid(iou)}
