"""Writing instances as a year's folder of a VOC devkit."""

import re
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mmlabelpenet.datasets.devkit import (
    CLASS_FILE,
    annotation_element,
    object_element,
    voc_palette,
    write_annotation,
    write_lists,
    write_masks,
)
from mmlabelpenet.utils import UserError, decode_part, write_lines

from .images import place_images, require_other_folder
from .manifest import Manifest
from .records import ImageReader, LabelledImage, file_names

# Of the 256 values of a mask, 0 is the background and 255 void.
MAX_OBJECTS = 254
LABEL_MAP = 'labelmap.txt'


def write_voc(
    images: Sequence[LabelledImage],
    classes: Sequence[str],
    out: str | Path,
    read: ImageReader,
    split: str = 'train',
    link: bool = False,
    min_visible: float = 0.0,
) -> Path:
    """Write a devkit year's folder: images, XML, masks in VOC's palette, and the split's lists.

    Where instances overlap, the pixels belong to the one with the highest score; an instance
    of which too little is visible is left out. ``labelmap.txt`` has the classes and colours for
    datumaro and CVAT. The object masks number the objects in the order of the XML.
    The tags are those of the images, or, where these are unknown, the classes of the instances.
    The lists are written last, so that an interrupted export lists no missing image. Images keep
    their names and subfolders, but for blanks. Files that the last export of the split has
    written and this one has not are removed; other files of the folder are neither removed nor
    replaced.

    Args:
        images: All images, also those without instances; instances by falling score.
        classes: Names of the classes; class c has the value c + 1 in the masks.
        out: The year's folder, e.g. ``data/pseudo/VOC2012``.
        read: Reads an image as the model does.
        split: Name of the images' list.
        link: Whether to link images instead of copying them.
        min_visible: Least visible share of the pixels of an instance, of which one at least.

    Returns:
        The split's list.

    Raises:
        UserError: If a class cannot name a file, there are too many classes, the folder is that
            of the images themselves, or it holds an export of other classes or files of the same
            names.
    """
    _check_classes(classes)
    root, names = Path(out), file_names(images, blanks=False)
    require_other_folder(images, root / 'JPEGImages')
    segmented = all(image.masks is not None for image in images)
    manifest = Manifest(root, 'voc', split, classes)
    written = _files(names, classes, split, segmented)
    manifest.announce(written)
    tags, ignored = {}, {}
    files = [f'{name}.jpg' for name in names]
    for file, image in place_images(images, files, root / 'JPEGImages', read, link):
        name = file.removesuffix('.jpg')
        labels = _write_labels(root, name, image, classes, min_visible)
        tags[name] = {classes[label] for label in (labels if image.tags is None else image.tags)}
        ignored[name] = {classes[label] for label in image.ignored_tags}
    write_lines(root / CLASS_FILE, classes)
    colours = zip(['background', *classes], voc_palette().tolist())
    lines = [f'{name}:{",".join(map(str, colour))}::' for name, colour in colours]
    write_lines(root / LABEL_MAP, ['# label:color_rgb:parts:actions', *lines])
    path = write_lists(root, split, tags, classes, ignored, segmented)
    manifest.finish(written)
    return path


def _files(names: Sequence[str], classes: Sequence[str], split: str, masks: bool) -> list[str]:
    """All files of an export, within its folder."""
    kinds = {'JPEGImages': 'jpg', 'Annotations': 'xml'}
    if masks:
        kinds |= {'SegmentationClass': 'png', 'SegmentationObject': 'png'}
    lists = [f'Main/{name}_{split}' for name in classes] + [f'Main/{split}']
    lists += [f'Segmentation/{split}'] if masks else []
    return [
        *(f'{folder}/{name}.{suffix}' for folder, suffix in kinds.items() for name in names),
        *(f'ImageSets/{name}.txt' for name in lists),
        CLASS_FILE,
        LABEL_MAP,
    ]


def _check_classes(classes: Sequence[str]) -> None:
    unfit = [
        name
        for name in classes
        if not name or name != ' '.join(name.split()) or re.search(r'[/\x00-\x1f\x7f]', name)
    ]
    if unfit:
        raise UserError(
            f'The class {unfit[0]!r} cannot name a list of a VOC devkit: rename it, or export to '
            'another format.'
        )
    if len(classes) > MAX_OBJECTS:
        raise UserError(
            f'VOC masks hold at most {MAX_OBJECTS} classes, not {len(classes)}: export to another '
            'format.'
        )


def _write_labels(
    root: Path, name: str, image: LabelledImage, classes: Sequence[str], min_visible: float
) -> np.ndarray:
    """Write XML and masks of one image; return the labels of its remaining instances."""
    segmented = image.masks is not None
    if segmented:
        object_mask, image = paint_objects(image, min_visible)
        values = np.array([0, *(image.labels + 1)], dtype=np.uint8)
        write_masks(root, name, values[object_mask], object_mask)
    # Every box covers at least one pixel.
    boxes = np.rint(image.boxes).astype(int)
    boxes[:, 2:] = np.maximum(boxes[:, 2:], boxes[:, :2] + 1)
    objects = [
        object_element(classes[label], box, score)
        for label, box, score in zip(image.labels, boxes, image.scores)
    ]
    annotation = annotation_element(root.name, name, image.size, objects, segmented)
    ET.indent(annotation)
    write_annotation(root, name, annotation)
    return image.labels


def paint_objects(
    image: LabelledImage, min_visible: float = 0.0
) -> tuple[np.ndarray, LabelledImage]:
    """Paint an image's instances into one mask, those with higher scores on top.

    Args:
        image: Its instances have masks and falling scores.
        min_visible: Least visible share of an instance; others are left out.

    Returns:
        The mask [H, W] uint8 (0, or 1 + the index of an instance), and the image with the
        instances that are left, each with a pixel in it.
    """
    image = image.take(np.arange(min(len(image), MAX_OBJECTS)))
    objects = np.zeros(image.size, dtype=np.uint8)
    for index, mask in reversed(list(enumerate(image.masks or (), start=1))):
        inside, x, y = decode_part(mask)
        objects[y : y + inside.shape[0], x : x + inside.shape[1]][inside] = index
    visible = np.bincount(objects.ravel(), minlength=len(image) + 1)[1:]
    kept = np.flatnonzero((visible > 0) & (visible >= min_visible * image.areas()))
    if len(kept) < len(image):
        return paint_objects(image.take(kept), min_visible)  # what they covered is seen now
    return objects, image
