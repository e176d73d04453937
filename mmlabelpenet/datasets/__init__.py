"""Data sets of images with weak labels, and their transforms."""

from .coco import COCOInstanceDataset
from .coco_file import COCOFile
from .reproducible import (
    SeededBatchSampler,
    SeededDataset,
    derived_seed,
    reproducible,
    require_cacheable_transforms,
    require_label_keeping_transforms,
)
from .shapes import HardShapesDataset, ShapesDataset
from .tag_file import TagFile, TagLine, read_class_folders, read_tag_file
from .tagged import TaggedDataset, name_of_dataset, require_distinct_names
from .tags import TagFileDataset
from .transforms import (
    CorrectedObject,
    LoadCorrections,
    LoadImageFromFile,
    LoadInstanceMasks,
    LoadLabels,
    LoadRegionProposals,
    LoadTrueInstances,
    OracleLabels,
    PackWeakInputs,
    ProposalSource,
    ProvideRegionProposals,
    name_in,
    read_corrections,
)
from .voc import VOCInstanceDataset
