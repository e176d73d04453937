"""Classification of whole photos."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from mmlabelpenet.registry import METRICS

from ..functional import average_precision, mean_over_valid
from .base import PhotoMetric, to_numpy


class Tagged(NamedTuple):
    """Of one photo: per class the score, whether it is tagged, whether the tag counts."""

    scores: np.ndarray
    present: np.ndarray
    counted: np.ndarray


@METRICS.register_module()
class ImageClassificationMetric(PhotoMetric):
    """Mean average precision of ranking photos by class score.

    Reads ``pred_image_scores`` [C], ``tags`` [C] in {0, 1} and, where given, the class indices
    ``ignored_tags`` (classes whose only objects in the photo are difficult), for which the
    photo is neither right nor wrong. Gives ``image_mAP``: the area under each class's
    precision envelope, as in VOC 2012's classification task, averaged over tagged classes.
    """

    def measure(self, data_sample: Mapping[str, Any]) -> Tagged:
        """Take the scores and the tags of one photo."""
        scores = to_numpy(data_sample['pred_image_scores']).astype(np.float64)
        counted = np.ones(len(scores), dtype=bool)
        counted[to_numpy(data_sample.get('ignored_tags', [])).astype(int)] = False
        return Tagged(scores, to_numpy(data_sample['tags']) > 0.5, counted)

    def compute_metrics(self, results: list[Tagged]) -> dict[str, float]:
        """Compute the average precision per class and its mean."""
        if not results:
            return {'image_mAP': float('nan')}
        scores, present, counted = (np.stack(column) for column in zip(*results))
        ap = np.zeros(len(self.classes))
        for label in range(len(self.classes)):
            kept = counted[:, label]
            order = np.argsort(-scores[kept, label], kind='stable')
            hits = present[kept, label][order]
            ap[label] = average_precision(hits, int(hits.sum()))
        photos = (present & counted).sum(axis=0)
        self.log_table('photos', {'photos': photos, 'AP': ap})
        return {'image_mAP': mean_over_valid(ap)}
