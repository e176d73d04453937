"""Transforms for photos whose labels are tags."""

from .formatting import PackWeakInputs
from .loading import LoadInstanceMasks, LoadRegionProposals
from .truth import LoadTrueInstances

__all__ = ['LoadInstanceMasks', 'LoadRegionProposals', 'LoadTrueInstances', 'PackWeakInputs']
