"""Quality of pseudo masks on the training images."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from mmlabelpenet.registry import METRICS

from ..functional import mask_iou, mean_over_valid
from .base import ImageMetric, labels_of, masks_of, to_numpy


@dataclass(frozen=True)
class PseudoMasks:
    """Of one image: the classes of which it holds one instance, and each one's best mask's IoU."""

    labels: np.ndarray
    overlaps: np.ndarray


@METRICS.register_module()
class PseudoMaskMetric(ImageMetric):
    """How well the pseudo mask of a tagged class meets the one true instance of that class.

    Where an image holds several instances of a class, which of them a pseudo mask means is
    open, so that only classes with one instance count. Of several pseudo masks of a class the
    one with the highest score counts; without any the IoU is 0. Gives ``pseudo_mask_iou``, the
    mean over instances, ``pseudo_mask_share``, the share of IoU >= .5, and ``pseudo_count``, the
    instances that were looked at.

    Args:
        ignore_void: Whether predicted pixels on void count neither way, as for
            :class:`VOCInstanceMetric`.
        collect_device: See :class:`ImageMetric`.
        prefix: See :class:`ImageMetric`.
    """

    def __init__(
        self,
        ignore_void: bool = False,
        collect_device: str = 'cpu',
        prefix: str | None = None,
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        self.ignore_void = ignore_void

    def measure(self, data_sample: Mapping[str, Any]) -> PseudoMasks:
        """Compare the best pseudo mask of each class that one image holds once."""
        masks, true_masks = masks_of(data_sample, self.ignore_void)
        predicted, true = data_sample['pred_instances'], data_sample['gt_mask_instances']
        labels, true_labels = labels_of(predicted), labels_of(true)
        found, counts = np.unique(true_labels, return_counts=True)
        once = found[counts == 1]
        scores = to_numpy(predicted['scores'])
        overlaps = np.zeros(len(once))
        for row, label in enumerate(once):
            own = np.flatnonzero(labels == label)
            if len(own):
                best = own[scores[own].argmax()]
                [index] = np.flatnonzero(true_labels == label)
                pair = masks[best : best + 1], true_masks[index : index + 1]
                overlaps[row] = mask_iou(*pair)[0, 0]
        return PseudoMasks(once, overlaps)

    def compute_metrics(self, results: list[PseudoMasks]) -> dict[str, float]:
        """Compute the means over all instances, and per class for the log."""
        labels = np.concatenate([np.zeros(0, dtype=int), *(record.labels for record in results)])
        overlaps = np.concatenate([np.zeros(0), *(record.overlaps for record in results)])
        groups = [overlaps[labels == label] for label in range(len(self.classes))]
        self.log_table(
            'pseudo masks',
            {
                'instances': np.array([len(group) for group in groups]),
                'IoU': [mean_over_valid(group) for group in groups],
                'share >= .5': [mean_over_valid(group >= 0.5) for group in groups],
            },
        )
        return {
            'pseudo_mask_iou': mean_over_valid(overlaps),
            'pseudo_mask_share': mean_over_valid(overlaps >= 0.5),
            'pseudo_count': len(overlaps),
        }
