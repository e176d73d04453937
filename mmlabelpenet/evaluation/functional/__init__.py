"""The arithmetic of the metrics, free of any framework."""

from .average_precision import average_precision, mean_over_valid
from .errors import (
    OUTCOMES,
    SURPLUS,
    ImageBoxes,
    ImageErrors,
    error_taxonomy,
    judge_image,
    leading,
    pick,
)
from .matching import (
    ImageMatches,
    match_image,
    per_class_average_precision,
    per_class_best_overlap,
)
from .overlap import box_iou, intersect_masks, mask_iou, to_rles

__all__ = [
    'OUTCOMES',
    'SURPLUS',
    'ImageBoxes',
    'ImageErrors',
    'ImageMatches',
    'average_precision',
    'box_iou',
    'error_taxonomy',
    'intersect_masks',
    'judge_image',
    'leading',
    'mask_iou',
    'match_image',
    'mean_over_valid',
    'per_class_average_precision',
    'per_class_best_overlap',
    'pick',
    'to_rles',
]
