"""Heads that the stages are made of."""

from .box_head import WeakBoxHead
from .mask_head import WeakMaskHead, mask_targets
from .roi_features import ChannelNorm, LevelFusion, RoIFeatures

__all__ = [
    'ChannelNorm',
    'LevelFusion',
    'RoIFeatures',
    'WeakBoxHead',
    'WeakMaskHead',
    'mask_targets',
]
