"""Quality of region proposals."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from mmlabelpenet.registry import METRICS
from mmlabelpenet.utils import box_iou

from ..functional import mean_over_valid
from .base import (
    ImageMetric,
    LabelledValues,
    boxes_of,
    gt_instances_of,
    labels_of,
    pool_values,
    require,
    threshold_name,
)

RECALL_IOU_THRS = (0.5, 0.7)


@METRICS.register_module()
class ProposalMetric(ImageMetric):
    """Recall and best overlap of the proposals with the objects that are not difficult.

    Reads ``proposals`` (boxes in pixels of the network input, mapped back by ``scale_factor``,
    with x2 and y2 exclusive) and ``gt_instances`` (boxes in original pixels, which are inclusive
    unless the data set has ``inclusive_boxes=False``). Gives ``proposal_recall_{threshold}``
    (share of all objects that a proposal overlaps enough), ``proposal_ABO`` (mean over all
    objects of the best overlap) and ``proposal_count`` (mean number of proposals per image).
    """

    def measure(self, data_sample: Mapping[str, Any]) -> tuple[int, LabelledValues]:
        """Count the proposals of one image, and get the best overlap of each object."""
        gt = gt_instances_of(data_sample)
        scale = np.tile(data_sample.get('scale_factor', (1.0, 1.0)), 2)
        remedy = 'add LoadRegionProposals to the pipeline'
        proposals = boxes_of(require(data_sample, 'proposals', remedy)) / scale
        if self.inclusive_boxes:
            # x2 of a proposal is the first pixel outside, x2 of an object the last one inside
            proposals = proposals - (0, 0, 1, 1)
        overlaps = box_iou(proposals, boxes_of(gt), self.inclusive_boxes)
        return len(proposals), (labels_of(gt), overlaps.max(axis=0, initial=0.0))

    def compute_metrics(self, results: list[tuple[int, LabelledValues]]) -> dict[str, float]:
        """Compute recall, average best overlap and the mean number of proposals."""
        best, of_class = pool_values([overlaps for _, overlaps in results], len(self.classes))
        columns: dict[str, list[float]] = {'objects': [len(values) for values in of_class]}
        columns |= {
            f'recall@{thr:g}': [mean_over_valid(values >= thr) for values in of_class]
            for thr in RECALL_IOU_THRS
        }
        self.log_table('proposals', columns | {'ABO': [mean_over_valid(v) for v in of_class]})
        figures = {
            threshold_name('proposal_recall', thr): mean_over_valid(best >= thr)
            for thr in RECALL_IOU_THRS
        }
        count = mean_over_valid([number for number, _ in results])
        return figures | {'proposal_ABO': mean_over_valid(best), 'proposal_count': count}
