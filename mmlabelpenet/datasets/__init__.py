"""Data sets of weakly labelled photos, and their transforms."""

from .shapes import ShapesDataset, make_shapes
from .transforms import LoadInstanceMasks, LoadRegionProposals, PackWeakInputs
from .voc import VOCInstanceDataset

__all__ = [
    'LoadInstanceMasks',
    'LoadRegionProposals',
    'PackWeakInputs',
    'ShapesDataset',
    'VOCInstanceDataset',
    'make_shapes',
]
