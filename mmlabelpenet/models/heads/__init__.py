"""Heads on region features."""

from .box_head import WeakBoxHead, cluster_likelihood
from .mask_head import WeakMaskHead
from .mask_results import MaskResults, max_containment
from .mask_supervision import MaskSupervision, mask_targets
from .roi_features import LevelFusion, RoIFeatures
