"""The arithmetic of the metrics, free of any framework."""

from .average_precision import average_precision, mean_over_valid
from .errors import (
    OUTCOMES,
    SURPLUS,
    PhotoBoxes,
    PhotoErrors,
    error_taxonomy,
    judge_photo,
    leading,
    pick,
)
from .matching import (
    PhotoMatches,
    match_photo,
    per_class_average_precision,
    per_class_best_overlap,
)
from .overlap import box_iou, intersect_masks, mask_iou, to_rles

__all__ = [
    'OUTCOMES',
    'SURPLUS',
    'PhotoBoxes',
    'PhotoErrors',
    'PhotoMatches',
    'average_precision',
    'box_iou',
    'error_taxonomy',
    'intersect_masks',
    'judge_photo',
    'leading',
    'mask_iou',
    'match_photo',
    'mean_over_valid',
    'per_class_average_precision',
    'per_class_best_overlap',
    'pick',
    'to_rles',
]
