"""Data sets of weakly labelled photos, and their transforms."""

from .reproducible import SeededBatchSampler, SeededDataset, derived_seed, reproducible
from .shapes import ShapesDataset, make_shapes
from .transforms import (
    LoadInstanceMasks,
    LoadRegionProposals,
    LoadTrueInstances,
    PackWeakInputs,
    ProvideRegionProposals,
)
from .voc import VOCInstanceDataset

__all__ = [
    'LoadInstanceMasks',
    'LoadRegionProposals',
    'LoadTrueInstances',
    'PackWeakInputs',
    'ProvideRegionProposals',
    'SeededBatchSampler',
    'SeededDataset',
    'ShapesDataset',
    'VOCInstanceDataset',
    'derived_seed',
    'make_shapes',
    'reproducible',
]
