"""Quality of pseudo labels on the training images: boxes, masks and single instances."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from mmlabelpenet.registry import METRICS
from mmlabelpenet.utils import box_iou

from ..functional import OUTCOMES, ImageBoxes, classify_errors, mean_over_valid
from ..functional.errors import IOU_THR
from .base import gt_boxes_of, labels_of, pool_values, to_numpy
from .corloc import CorLocMetric
from .pseudo_mask import PseudoMaskMetric

COUNTS = ('right', 'wrong', *OUTCOMES[1:])


@METRICS.register_module()
class PseudoLabelMetric(CorLocMetric):
    """Pseudo labels of one place of the cascade in a few figures, without tables in the log.

    Gives ``corloc``; ``pseudo_mask_iou`` of :class:`PseudoMaskMetric`, over the images that have
    masks; ``right`` and ``wrong``, numbers of instances of positive weight that find an object (of
    several on one object the best) and that do not; and how many objects are found in ``part``,
    ``large`` or ``several`` in one box, under a ``wrong_class``, or ``missed``, see
    :func:`classify_errors`. An instance on a difficult object is neither right nor wrong.

    Args:
        **kwargs: See :class:`CorLocMetric`.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.of_masks = PseudoMaskMetric()

    def measure(self, data_sample: Mapping[str, Any]) -> Any:
        """Records of an image: of CorLoc, of its masks, and a number for each of ``COUNTS``."""
        masks = (np.zeros(0, dtype=int), np.zeros(0))
        if 'gt_mask_instances' in data_sample:
            masks = self.of_masks.measure(data_sample)
        return super().measure(data_sample), masks, self._count(data_sample)

    def _count(self, data_sample: Mapping[str, Any]) -> np.ndarray:
        predicted = data_sample['pred_instances']
        image = ImageBoxes(
            labels=labels_of(predicted),
            scores=to_numpy(predicted['scores']),
            bboxes=self.predicted_boxes(data_sample),
            **gt_boxes_of(data_sample),
        )
        image = image.select(image.scores > 0)
        outcomes = classify_errors(image).outcomes
        overlaps = box_iou(image.bboxes, image.gt_bboxes, inclusive=True)
        overlaps = overlaps * (image.labels[:, None] == image.gt_labels)
        close = overlaps.max(1, initial=0.0) >= IOU_THR
        neutral = 0
        if close.any():
            neutral = image.difficult[overlaps[close].argmax(1)].sum()
        right, *others = (outcomes.count(name) for name in OUTCOMES)
        return np.array([right, len(image.labels) - right - neutral, *others])

    def compute_metrics(self, results: list) -> dict[str, float]:
        """Compute the figures of all images."""
        boxes, masks, counts = ([*column] for column in zip(*results))
        _, of_class = pool_values(boxes, len(self.classes))
        overlaps, _ = pool_values(masks, len(self.classes))
        return {
            'corloc': mean_over_valid([mean_over_valid(correct) for correct in of_class]),
            'pseudo_mask_iou': mean_over_valid(overlaps),
            **dict(zip(COUNTS, np.sum(counts, axis=0).tolist())),
        }
