"""What a detector does wrong."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from mmlabelpenet.registry import METRICS

from ..functional import ImageBoxes, error_taxonomy
from .base import ImageMetric, boxes_of, labels_of, to_numpy


@METRICS.register_module()
class ErrorTaxonomyMetric(ImageMetric):
    """Takes the errors of boxes apart, see :func:`classify_errors`.

    Looks at as many of the best predictions of each class as there are objects of it. Gives
    ``error_{outcome}``, the share of objects that were ``found``, or of which only a ``part`` was
    boxed, a box was too ``large``, or held ``several``, that were taken for the ``wrong_class``
    or ``missed``; and beside these, for each object, how many predictions were a ``duplicate`` or
    lay on ``background``.

    Args:
        iou_thr: Overlap of a find.
        touch: Least overlap of a prediction that meant an object.
        collect_device: See :class:`ImageMetric`.
        prefix: See :class:`ImageMetric`.
    """

    def __init__(
        self,
        iou_thr: float = 0.5,
        touch: float = 0.1,
        collect_device: str = 'cpu',
        prefix: str | None = None,
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        self.iou_thr = iou_thr
        self.touch = touch

    def measure(self, data_sample: Mapping[str, Any]) -> ImageBoxes:
        """Keep the boxes of one image."""
        predicted = data_sample['pred_instances']
        true, ignored = data_sample['gt_instances'], data_sample.get('ignored_instances')
        labels = labels_of(true)
        true_labels = np.concatenate([labels, labels_of(ignored)])
        return ImageBoxes(
            labels=labels_of(predicted),
            scores=to_numpy(predicted['scores']),
            bboxes=self.predicted_boxes(data_sample),
            gt_labels=true_labels,
            gt_bboxes=np.concatenate([boxes_of(true), boxes_of(ignored)]),
            difficult=np.arange(len(true_labels)) >= len(labels),
        )

    def compute_metrics(self, results: list[ImageBoxes]) -> dict[str, float]:
        """Compute the shares of all outcomes."""
        shares = error_taxonomy(results, len(self.classes), self.iou_thr, self.touch)
        return {f'error_{name}': share for name, share in shares.items()}
