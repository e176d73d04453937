"""The detector."""

from .feature_cache import FeatureCache, LabelCache, require_known_transforms
from .label_penet import LabelPEnet
from .painting import paint_semantic_map
from .proposal_tta import ProposalTTA

__all__ = [
    'FeatureCache',
    'LabelCache',
    'LabelPEnet',
    'ProposalTTA',
    'paint_semantic_map',
    'require_known_transforms',
]
