"""Data sets of weakly labelled images, and their transforms."""

from .coco import COCOInstanceDataset
from .reproducible import SeededBatchSampler, SeededDataset, derived_seed, reproducible
from .shapes import ShapesDataset
from .tag_file import TagFile, TagLine, read_tag_file
from .tags import TagFileDataset
from .transforms import (
    LoadImageFromFile,
    LoadInstanceMasks,
    LoadRegionProposals,
    LoadTrueInstances,
    PackWeakInputs,
    ProvideRegionProposals,
)
from .voc import VOCInstanceDataset
from .weak import ImageFolder, TaggedDataset

__all__ = [
    'COCOInstanceDataset',
    'ImageFolder',
    'LoadImageFromFile',
    'LoadInstanceMasks',
    'LoadRegionProposals',
    'LoadTrueInstances',
    'PackWeakInputs',
    'ProvideRegionProposals',
    'SeededBatchSampler',
    'SeededDataset',
    'ShapesDataset',
    'TagFile',
    'TagFileDataset',
    'TagLine',
    'TaggedDataset',
    'VOCInstanceDataset',
    'derived_seed',
    'read_tag_file',
    'reproducible',
]
