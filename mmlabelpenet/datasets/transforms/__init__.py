"""Transforms for photos whose labels are tags."""

from .formatting import PackWeakInputs
from .loading import LoadInstanceMasks, LoadRegionProposals

__all__ = ['LoadInstanceMasks', 'LoadRegionProposals', 'PackWeakInputs']
