"""Error analysis of a detector."""

from collections.abc import Mapping
from typing import Any

from mmlabelpenet.registry import METRICS

from ..functional import ImageBoxes, error_taxonomy
from .base import ImageMetric, gt_boxes_of, labels_of, to_numpy


@METRICS.register_module()
class ErrorTaxonomyMetric(ImageMetric):
    """Shares of the outcomes of objects, see :func:`classify_errors`.

    Takes as many of the best predictions of each class as there are objects of it. Gives
    ``error_{outcome}``, the share of objects that were ``found``, or of which a box covers only a
    ``part``, is too ``large`` or covers ``several``, that were predicted as the ``wrong_class`` or
    ``missed``; and for each object the number of predictions that are a ``duplicate`` or lie on
    ``background``.
    """

    def measure(self, data_sample: Mapping[str, Any]) -> ImageBoxes:
        """Keep the boxes of one image."""
        predicted = data_sample['pred_instances']
        return ImageBoxes(
            labels=labels_of(predicted),
            scores=to_numpy(predicted['scores']),
            bboxes=self.predicted_boxes(data_sample),
            **gt_boxes_of(data_sample),
        )

    def compute_metrics(self, results: list[ImageBoxes]) -> dict[str, float]:
        """Compute the shares of all outcomes."""
        shares = error_taxonomy(results, len(self.classes))
        return {f'error_{name}': share for name, share in shares.items()}
