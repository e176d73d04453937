"""Metrics for weakly supervised instance segmentation on VOC that mmdet lacks."""

from .functional import (
    ImageMatches,
    average_precision,
    intersect_masks,
    mask_iou,
    match_image,
    mean_over_valid,
    per_class_average_precision,
    per_class_best_overlap,
    to_rles,
)
from .loops import MultiSetTestLoop, evaluators_of
from .metrics import (
    COCOStyleMetric,
    CorLocMetric,
    DumpPredictions,
    ErrorTaxonomyMetric,
    ImageClassificationMetric,
    ProposalMetric,
    PseudoLabelMetric,
    PseudoMaskMetric,
    SemSegMetric,
    VOCDetectionMetric,
    VOCInstanceMetric,
    VOCResultFiles,
)
from .offline import evaluate_predictions, tables_of
from .prediction_files import read_predictions
from .report import (
    ClassTable,
    format_metrics,
    write_markdown,
    write_metrics,
    write_report,
)
from .select import METRICS_BY_NAME, evaluation_sets, select_evaluation
