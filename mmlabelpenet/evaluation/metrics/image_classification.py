"""Classification of whole images."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from mmlabelpenet.registry import METRICS

from ..functional import average_precision, mean_over_valid, require_ap_mode
from .base import ImageMetric, require, to_numpy


@METRICS.register_module()
class ImageClassificationMetric(ImageMetric):
    """Mean average precision of ranking images by class score.

    Reads ``pred_image_scores`` [C], ``tags`` [C] in {0, 1} and, if present, ``ignored_tags``
    [C] in {0, 1}: classes whose only objects in the image are difficult, for which the image
    is neither right nor wrong. Gives ``image_mAP``: the average precision of each class, as in
    VOC's classification task, averaged over tagged classes.

    Args:
        eval_mode: ``'area'`` (VOC 2010 and later) or ``'11points'`` (VOC 2007).
        **kwargs: See :class:`ImageMetric`.
    """

    def __init__(self, eval_mode: str = 'area', **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.eval_mode = require_ap_mode(eval_mode)

    def measure(self, data_sample: Mapping[str, Any]) -> np.ndarray:
        """Get score, tag and whether the tag counts of each class of one image: [3, C]."""
        scores = to_numpy(require(data_sample, 'pred_image_scores', 'leave image out of --eval'))
        tags = to_numpy(data_sample['tags'])
        ignored = to_numpy(data_sample.get('ignored_tags', np.zeros(len(tags))))
        return np.stack([scores.astype(np.float64), tags > 0.5, ignored < 0.5])

    def compute_metrics(self, results: list[np.ndarray]) -> dict[str, float]:
        """Compute the average precision per class and its mean."""
        if not results:
            return {'image_mAP': float('nan')}
        scores, tags, counted = np.stack(results, axis=-1)
        present, kept = tags > 0, counted > 0
        ap = []
        for label in range(len(self.classes)):
            order = np.argsort(-scores[label, kept[label]], kind='stable')
            hits = present[label, kept[label]][order]
            ap.append(average_precision(hits, int(hits.sum()), self.eval_mode))
        self.log_table('photos', {'photos': (present & kept).sum(axis=1), 'AP': ap})
        return {'image_mAP': mean_over_valid(ap)}
