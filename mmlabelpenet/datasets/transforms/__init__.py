"""Transforms of images, proposals and masks."""

from .formatting import PackWeakInputs
from .loading import LoadImageFromFile, LoadInstanceMasks, LoadRegionProposals
from .proposing import ProvideRegionProposals
from .truth import LoadTrueInstances

__all__ = [
    'LoadImageFromFile',
    'LoadInstanceMasks',
    'LoadRegionProposals',
    'LoadTrueInstances',
    'PackWeakInputs',
    'ProvideRegionProposals',
]
