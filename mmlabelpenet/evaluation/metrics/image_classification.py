"""Classification of whole images."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from mmlabelpenet.registry import METRICS

from ..functional import average_precision, mean_over_valid
from ..functional.average_precision import AP_MODES
from .base import ImageMetric, require, to_numpy


@dataclass(frozen=True)
class Tagged:
    """Of one image: per class the score, whether it is tagged, whether the tag counts."""

    scores: np.ndarray
    present: np.ndarray
    counted: np.ndarray


@METRICS.register_module()
class ImageClassificationMetric(ImageMetric):
    """Mean average precision of ranking images by class score.

    Reads ``pred_image_scores`` [C], ``tags`` [C] in {0, 1} and, where given, ``ignored_tags``
    [C] in {0, 1}: classes whose only objects in the image are difficult, for which the image
    is neither right nor wrong. Gives ``image_mAP``: the average precision of each class, as in
    VOC's classification task, averaged over tagged classes.

    Args:
        eval_mode: ``'area'`` (VOC 2010 and later) or ``'11points'`` (VOC 2007).
        collect_device: See :class:`ImageMetric`.
        prefix: See :class:`ImageMetric`.
    """

    def __init__(
        self, eval_mode: str = 'area', collect_device: str = 'cpu', prefix: str | None = None
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        if eval_mode not in AP_MODES:
            raise ValueError(f'eval_mode must be one of {AP_MODES}, but is {eval_mode!r}')
        self.eval_mode = eval_mode

    def measure(self, data_sample: Mapping[str, Any]) -> Tagged:
        """Take the scores and the tags of one image."""
        scores = require(data_sample, 'pred_image_scores', 'leave image out of --eval')
        scores = to_numpy(scores).astype(np.float64)
        ignored = data_sample.get('ignored_tags')
        counted = np.ones(len(scores), dtype=bool) if ignored is None else to_numpy(ignored) < 0.5
        return Tagged(scores, to_numpy(data_sample['tags']) > 0.5, counted)

    def compute_metrics(self, results: list[Tagged]) -> dict[str, float]:
        """Compute the average precision per class and its mean."""
        if not results:
            return {'image_mAP': float('nan')}
        scores, present, counted = (
            np.stack([getattr(record, name) for record in results])
            for name in ('scores', 'present', 'counted')
        )
        ap = np.zeros(len(self.classes))
        for label in range(len(self.classes)):
            kept = counted[:, label]
            order = np.argsort(-scores[kept, label], kind='stable')
            hits = present[kept, label][order]
            ap[label] = average_precision(hits, int(hits.sum()), self.eval_mode)
        images = (present & counted).sum(axis=0)
        self.log_table('photos', {'photos': images, 'AP': ap})
        return {'image_mAP': mean_over_valid(ap)}
