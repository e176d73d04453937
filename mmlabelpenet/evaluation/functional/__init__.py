"""Arithmetic of the metrics, independent of any framework."""

from .agreement import Found, overlaps_of_tags, tags_that_agree
from .average_precision import (
    ImageMatches,
    average_precision,
    match_image,
    mean_over_valid,
    per_class_average_precision,
    per_class_best_overlap,
    require_ap_mode,
)
from .errors import (
    KINDS,
    OUTCOMES,
    SURPLUS,
    ImageBoxes,
    ImageErrors,
    classify_errors,
    error_taxonomy,
    top_predictions,
)
from .overlap import intersect_masks, mask_iou, to_rles
