"""Data sets of images with weak labels, and their transforms."""

from .coco import COCOInstanceDataset
from .reproducible import (
    SeededBatchSampler,
    SeededDataset,
    derived_seed,
    reproducible,
    require_cacheable_transforms,
)
from .shapes import ShapesDataset
from .tag_file import TagFile, TagLine, read_tag_file
from .tagged import TaggedDataset
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
