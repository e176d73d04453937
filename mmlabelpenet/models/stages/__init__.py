"""The paper's four modules, one file each."""

from .base import Stage
from .classification import ClassificationStage
from .detection import DetectionStage
from .refinement import MaskTeaching, RefinementStage
from .segmentation import SegmentationStage

__all__ = [
    'ClassificationStage',
    'DetectionStage',
    'MaskTeaching',
    'RefinementStage',
    'SegmentationStage',
    'Stage',
]
