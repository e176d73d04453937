"""Transforms for photos whose labels are tags."""

from .formatting import PackWeakInputs
from .loading import LoadImageFromFile, LoadInstanceMasks, LoadRegionProposals

__all__ = ['LoadImageFromFile', 'LoadInstanceMasks', 'LoadRegionProposals', 'PackWeakInputs']
