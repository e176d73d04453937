"""Detector, stages, attention, refiners, heads, losses and backbones."""

from .attention import CAMAttention, ExcitationAttention, SemanticAttention
from .backbones import DilatedVGG, EfficientNetLite
from .calibration import AttentionSeeds, ProposalSeeds
from .detectors import (
    LABELS,
    STAGES,
    LabelPEnet,
    ProposalTTA,
    labels_on_their_way,
    relabelled,
)
from .heads import LevelFusion, RoIFeatures, WeakBoxHead, WeakMaskHead
from .losses import SoftmaxTagLoss, WSDDNLoss
from .refiners import DenseCRF, PixelAffinity, RandomWalk, Refiner
from .stages import (
    ClassificationStage,
    DetectionStage,
    LabelSource,
    LearnedProposals,
    MinedProposals,
    ProposalCalibration,
    RefinementStage,
    SegmentationStage,
    Stage,
    TrueInstances,
)
