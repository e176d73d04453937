"""Instances as labels for others to learn from: COCO, VOC and YOLO."""

from .coco import SEGMENTATIONS, write_coco
from .metric import FORMATS, InstanceExport, labelled_photo, photo_reader, write_photos
from .polygons import join_rings, mask_to_polygons
from .records import LabelledPhoto, PhotoReader, Selection, class_counts, file_names, photo_root
from .voc import paint_objects, write_voc
from .yolo import NEEDS_MASKS, outline_of, write_yolo

__all__ = [
    'FORMATS',
    'NEEDS_MASKS',
    'SEGMENTATIONS',
    'InstanceExport',
    'LabelledPhoto',
    'PhotoReader',
    'Selection',
    'class_counts',
    'file_names',
    'join_rings',
    'labelled_photo',
    'mask_to_polygons',
    'outline_of',
    'paint_objects',
    'photo_reader',
    'photo_root',
    'write_coco',
    'write_photos',
    'write_voc',
    'write_yolo',
]
