"""Metrics for mmengine's evaluator; the names of their figures have no prefix."""

from .coco_style import COCOStyleMetric
from .corloc import CorLocMetric
from .dump import DumpPredictions
from .errors import ErrorTaxonomyMetric
from .image_classification import ImageClassificationMetric
from .proposal import ProposalMetric
from .pseudo_label import PseudoLabelMetric
from .pseudo_mask import PseudoMaskMetric
from .semseg import SemSegMetric
from .voc import VOCDetectionMetric, VOCInstanceMetric
from .voc_files import VOCResultFiles
