"""Exporting instances as labels to train other models with: COCO, VOC and YOLO."""

from .coco import SEGMENTATIONS, write_coco
from .metric import FORMATS, InstanceCollector, image_reader, labelled_image, write_images
from .polygons import join_rings, mask_to_polygons
from .records import ImageReader, LabelledImage, Selection, class_counts, file_names, image_root
from .summary import class_thresholds, summarise
from .voc import paint_objects, write_voc
from .yolo import NEEDS_MASKS, outline_of, write_yolo
