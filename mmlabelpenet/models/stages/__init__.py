"""The steps of the cascade: its four modules, and the sources of their labels."""

from .base import BoxStage, LabelSource, MaskStage, RegionStage, ResultStage, Stage
from .calibration import MinedProposals, ProposalCalibration
from .classification import ClassificationStage
from .detection import DetectionStage
from .learned_proposals import LearnedProposals
from .refinement import RefinementStage
from .segmentation import SegmentationStage
from .semantic import SemanticStage
from .true_instances import TrueInstances
