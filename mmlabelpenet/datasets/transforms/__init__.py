"""Transforms for photos whose labels are tags."""

from .formatting import PackWeakInputs
from .loading import LoadInstanceMasks, LoadRegionProposals
from .proposing import ProvideRegionProposals

__all__ = [
    'LoadInstanceMasks',
    'LoadRegionProposals',
    'PackWeakInputs',
    'ProvideRegionProposals',
]
