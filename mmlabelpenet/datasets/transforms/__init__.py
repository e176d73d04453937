"""Transforms of photos, proposals and masks."""

from .formatting import PackWeakInputs
from .loading import LoadInstanceMasks, LoadRegionProposals
from .proposing import ProvideRegionProposals
from .truth import LoadTrueInstances

__all__ = [
    'LoadInstanceMasks',
    'LoadRegionProposals',
    'LoadTrueInstances',
    'PackWeakInputs',
    'ProvideRegionProposals',
]
