"""Quality of region proposals."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mmlabelpenet.registry import METRICS
from mmlabelpenet.utils import box_iou

from ..functional import mean_over_valid
from .base import ImageMetric, boxes_of, labels_of, require, threshold_name


@dataclass(frozen=True)
class Covered:
    """Of one image: number of proposals, class and best overlap of each true object."""

    count: int
    labels: np.ndarray
    overlaps: np.ndarray


@METRICS.register_module()
class ProposalMetric(ImageMetric):
    """How well the proposals cover the true objects that are not difficult.

    Reads ``proposals`` (boxes in pixels of the network input, mapped back by ``scale_factor``,
    with x2 and y2 exclusive) and ``gt_instances`` (boxes in original pixels, VOC's inclusive
    ones unless the data set says otherwise). Gives ``proposal_recall_{threshold}`` (share of all
    objects that a proposal overlaps enough), ``proposal_ABO`` (mean over all objects of the best
    overlap) and ``proposal_count`` (mean number of proposals per image).

    Args:
        iou_thrs: Overlaps that suffice.
        collect_device: See :class:`ImageMetric`.
        prefix: See :class:`ImageMetric`.
    """

    def __init__(
        self,
        iou_thrs: Sequence[float] = (0.5, 0.7),
        collect_device: str = 'cpu',
        prefix: str | None = None,
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        self.iou_thrs = tuple(iou_thrs)

    def measure(self, data_sample: Mapping[str, Any]) -> Covered:
        """Take the best overlap of each true object of one image."""
        true = data_sample['gt_instances']
        scale = np.tile(data_sample.get('scale_factor', (1.0, 1.0)), 2)
        proposals = require(data_sample, 'proposals', 'add LoadRegionProposals to the pipeline')
        proposals = boxes_of(proposals) / scale
        if self.inclusive_boxes:
            # a proposal's x2 is the first pixel outside, a true box's the last one inside
            proposals = proposals - (0, 0, 1, 1)
        overlaps = box_iou(proposals, boxes_of(true), self.inclusive_boxes)
        return Covered(len(proposals), labels_of(true), overlaps.max(axis=0, initial=0.0))

    def compute_metrics(self, results: list[Covered]) -> dict[str, float]:
        """Compute recall, average best overlap and the mean number of proposals."""
        labels = np.concatenate([np.zeros(0, dtype=int), *(record.labels for record in results)])
        best = np.concatenate([np.zeros(0), *(record.overlaps for record in results)])
        of_class = [best[labels == label] for label in range(len(self.classes))]
        columns: dict[str, list[float]] = {'objects': [len(values) for values in of_class]}
        columns |= {
            f'recall@{thr:g}': [mean_over_valid(values >= thr) for values in of_class]
            for thr in self.iou_thrs
        }
        self.log_table('proposals', columns | {'ABO': [mean_over_valid(v) for v in of_class]})
        figures = {
            threshold_name('proposal_recall', thr): mean_over_valid(best >= thr)
            for thr in self.iou_thrs
        }
        count = mean_over_valid(np.array([record.count for record in results]))
        return figures | {'proposal_ABO': mean_over_valid(best), 'proposal_count': count}
