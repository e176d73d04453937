"""Quality of pseudo masks on the training images."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from mmlabelpenet.registry import METRICS

from ..functional import mask_iou, mean_over_valid
from .base import (
    ImageMetric,
    LabelledValues,
    counted_pixels,
    labels_of,
    masks_of,
    pool_values,
    to_numpy,
)


@METRICS.register_module()
class PseudoMaskMetric(ImageMetric):
    """IoU of the pseudo mask of a tagged class with the only object of that class.

    If an image has several objects of a class, it is unknown to which of them a pseudo mask
    belongs, so that only classes with one object count. Of several pseudo masks of a class the
    one with the highest score counts; without any the IoU is 0. Gives ``pseudo_mask_iou``, the
    mean over objects, ``pseudo_mask_share``, the share of IoU >= .5, and ``pseudo_count``, the
    number of objects that count.

    Args:
        ignore_void: Whether predicted pixels on void count neither way, as for
            :class:`VOCInstanceMetric`.
        **kwargs: See :class:`ImageMetric`.
    """

    def __init__(self, ignore_void: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.ignore_void = ignore_void

    def measure(self, data_sample: Mapping[str, Any]) -> LabelledValues:
        """Compare the best pseudo mask of each class of which one image has one object."""
        masks, gt_masks = masks_of(data_sample)
        region = counted_pixels(data_sample, self.ignore_void)
        predicted = data_sample['pred_instances']
        labels, scores = labels_of(predicted), to_numpy(predicted['scores'])
        gt_labels = labels_of(data_sample['gt_mask_instances'])
        found, counts = np.unique(gt_labels, return_counts=True)
        once = found[counts == 1]
        overlaps = np.zeros(len(once))
        for row, label in enumerate(once):
            own = np.flatnonzero(labels == label)
            if len(own):
                best = masks[own[scores[own].argmax()]]
                [index] = np.flatnonzero(gt_labels == label)
                overlaps[row] = mask_iou([best], [gt_masks[index]], region)[0, 0]
        return once, overlaps

    def compute_metrics(self, results: list[LabelledValues]) -> dict[str, float]:
        """Compute the means over all objects, and per class for the log."""
        overlaps, of_class = pool_values(results, len(self.classes))
        self.log_table(
            'pseudo masks',
            {
                'instances': [len(values) for values in of_class],
                'IoU': [mean_over_valid(values) for values in of_class],
                'share >= .5': [mean_over_valid(values >= 0.5) for values in of_class],
            },
        )
        return {
            'pseudo_mask_iou': mean_over_valid(overlaps),
            'pseudo_mask_share': mean_over_valid(overlaps >= 0.5),
            'pseudo_count': len(overlaps),
        }
