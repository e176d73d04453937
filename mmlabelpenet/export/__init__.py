"""Exporting instances as labels to train other models with: COCO, VOC, YOLO, Label Studio."""

from .coco import SEGMENTATIONS, write_coco
from .label_studio import write_label_studio
from .metric import FORMATS, InstanceCollector, image_reader, labelled_image, write_images
from .polygons import join_rings, mask_to_polygons
from .records import (
    ImageReader,
    LabelledImage,
    Selection,
    class_counts,
    doubt_of,
    file_names,
    image_root,
    most_doubtful,
)
from .summary import class_thresholds, summarise
from .voc import paint_objects, write_voc
from .yolo import NEEDS_MASKS, outline_of, write_yolo
