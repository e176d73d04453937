"""Detector, stages, heads, losses, calibration and backbones."""

from .backbones import DilatedVGG, EfficientNetLite
from .calibration import (
    CAMAttention,
    DenseCRF,
    ExcitationAttention,
    PixelAffinity,
    ProposalCalibration,
    RandomWalk,
    SemanticAttention,
    TrueInstances,
)
from .detectors import (
    FeatureCache,
    LabelCache,
    LabelPEnet,
    ProposalTTA,
    require_known_transforms,
)
from .heads import LevelFusion, RoIFeatures, WeakBoxHead, WeakMaskHead
from .losses import SoftmaxTagLoss, WSDDNLoss
from .stages import (
    ClassificationStage,
    DetectionStage,
    RefinementStage,
    SegmentationStage,
    Stage,
)

__all__ = [
    'CAMAttention',
    'ClassificationStage',
    'DenseCRF',
    'DetectionStage',
    'DilatedVGG',
    'EfficientNetLite',
    'ExcitationAttention',
    'FeatureCache',
    'LabelCache',
    'LabelPEnet',
    'LevelFusion',
    'PixelAffinity',
    'ProposalCalibration',
    'ProposalTTA',
    'RandomWalk',
    'RefinementStage',
    'RoIFeatures',
    'SegmentationStage',
    'SemanticAttention',
    'SoftmaxTagLoss',
    'Stage',
    'TrueInstances',
    'WSDDNLoss',
    'WeakBoxHead',
    'WeakMaskHead',
    'require_known_transforms',
]
