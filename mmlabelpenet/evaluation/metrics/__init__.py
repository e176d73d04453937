"""Metrics for mmengine's evaluator, with flat names and no prefix."""

from .corloc import CorLocMetric
from .errors import ErrorTaxonomyMetric
from .image_classification import ImageClassificationMetric
from .proposal import ProposalMetric
from .pseudo_mask import PseudoMaskMetric
from .semseg import SemSegMetric
from .voc_detection import VOCDetectionMetric
from .voc_instance import VOCInstanceMetric

__all__ = [
    'CorLocMetric',
    'ErrorTaxonomyMetric',
    'ImageClassificationMetric',
    'ProposalMetric',
    'PseudoMaskMetric',
    'SemSegMetric',
    'VOCDetectionMetric',
    'VOCInstanceMetric',
]
