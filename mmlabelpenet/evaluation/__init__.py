"""Measuring: what mmdet lacks for weakly supervised instance segmentation on VOC."""

from .functional import (
    PhotoMatches,
    average_precision,
    box_iou,
    intersect_masks,
    mask_iou,
    match_photo,
    mean_over_valid,
    per_class_average_precision,
    per_class_best_overlap,
    to_rles,
)
from .loops import MultiSetTestLoop
from .metrics import (
    CorLocMetric,
    ErrorTaxonomyMetric,
    ImageClassificationMetric,
    ProposalMetric,
    PseudoMaskMetric,
    SemSegMetric,
    VOCDetectionMetric,
    VOCInstanceMetric,
)
from .select import METRICS_BY_NAME, select_evaluation

__all__ = [
    'METRICS_BY_NAME',
    'CorLocMetric',
    'ErrorTaxonomyMetric',
    'ImageClassificationMetric',
    'MultiSetTestLoop',
    'PhotoMatches',
    'ProposalMetric',
    'PseudoMaskMetric',
    'SemSegMetric',
    'VOCDetectionMetric',
    'VOCInstanceMetric',
    'average_precision',
    'box_iou',
    'intersect_masks',
    'mask_iou',
    'match_photo',
    'mean_over_valid',
    'per_class_average_precision',
    'per_class_best_overlap',
    'select_evaluation',
    'to_rles',
]
