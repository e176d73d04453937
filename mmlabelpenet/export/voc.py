"""Writing instances as a year's folder of a VOC devkit."""

import xml.etree.ElementTree as ET
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image
from pycocotools import mask as mask_api
from tqdm import tqdm

from mmlabelpenet.datasets.label_maps import voc_palette
from mmlabelpenet.utils import UserError, atomic_path

from .images import place_image, require_elsewhere
from .records import ImageReader, LabelledImage, file_names

# 255 is void, and 0 the background.
MOST_OBJECTS = 254


def write_voc(
    images: Sequence[LabelledImage],
    classes: Sequence[str],
    out: str | Path,
    read: ImageReader,
    split: str = 'train',
    link: bool = False,
) -> Path:
    """Write a devkit year's folder: images, XML, maps in VOC's palette, and the split's lists.

    Where instances overlap, the surest one has the pixels, and one that nothing is left of is
    left out. Object values of the maps count in the order of the XML's objects. Tags are those
    of the images; images whose tags are unknown get the classes of their instances. The lists
    are written last, so that a cut export names no image that is not there.

    Args:
        images: All images, also those without instances; instances the surest first.
        classes: Names of the classes, of which class c has the value c + 1 in the maps.
        out: The year's folder, e.g. ``data/pseudo/VOC2012``.
        read: Reads an image as the model sees it.
        split: Name of the images' list.
        link: Whether to link images in place of copying them.

    Returns:
        The split's list.

    Raises:
        UserError: If a class's name can be no file's name, there are too many of them, or the
            folder is that of the images themselves.
    """
    _check_classes(classes)
    root = Path(out)
    require_elsewhere(images, root / 'JPEGImages')
    names = file_names(images)
    present = []
    for name, photo in zip(names, tqdm(images, desc='export', unit='photo')):
        place_image(photo.img_path, root / 'JPEGImages' / f'{name}.jpg', read, link)
        present.append(_write_labels(root, name, photo, classes))
    return _write_lists(root, split, names, images, present, classes)


def _check_classes(classes: Sequence[str]) -> None:
    unfit = [name for name in classes if '/' in name or not name.strip()]
    if unfit:
        raise UserError(
            f'The class {unfit[0]!r} can not name a list of a VOC devkit: rename it, or export to '
            'another format.'
        )
    if len(classes) > MOST_OBJECTS:
        raise UserError(
            f'VOC maps tell {MOST_OBJECTS} classes apart, not {len(classes)}: export to another '
            'format.'
        )


def _write_labels(
    root: Path, name: str, photo: LabelledImage, classes: Sequence[str]
) -> np.ndarray:
    """Write XML and maps of one image; return the labels that are in it."""
    if photo.masks is not None:
        objects, photo = paint_objects(photo)
        values = np.array([0, *(photo.labels + 1)], dtype=np.uint8)
        write_map(root / 'SegmentationObject' / f'{name}.png', objects)
        write_map(root / 'SegmentationClass' / f'{name}.png', values[objects])
    with atomic_path(root / 'Annotations' / f'{name}.xml') as temporary:
        tree = _annotation(root.name, name, photo, classes)
        tree.write(temporary, encoding='utf-8')
    return photo.labels


def paint_objects(photo: LabelledImage) -> tuple[np.ndarray, LabelledImage]:
    """Paint an image's instances into one map, the surest on top.

    Args:
        photo: Its instances have masks and come the surest first.

    Returns:
        The map [H, W] uint8, 0 or 1 + the index of an instance, and the image with the instances
        that have pixels in it.
    """
    photo = photo.take(np.arange(min(len(photo), MOST_OBJECTS)))
    objects = np.zeros(photo.size, dtype=np.uint8)
    for index, mask in reversed(list(enumerate(photo.masks or (), start=1))):
        objects[mask_api.decode(mask) > 0] = index
    seen = np.unique(objects[objects > 0])
    renumbered = np.zeros(256, dtype=np.uint8)
    renumbered[seen] = np.arange(1, len(seen) + 1)
    return renumbered[objects], photo.take(seen - 1)


def write_map(path: Path, values: np.ndarray) -> None:
    """Write a map [H, W] uint8 as a PNG in VOC's palette, whole or not at all."""
    image = Image.fromarray(values).convert('P')
    image.putpalette(voc_palette())
    with atomic_path(path) as temporary:
        image.save(temporary)


def _add(parent: ET.Element, name: str, text: object = None) -> ET.Element:
    element = ET.SubElement(parent, name)
    element.text = None if text is None else str(text)
    return element


def _annotation(
    folder: str, name: str, photo: LabelledImage, classes: Sequence[str]
) -> ET.ElementTree:
    """VOC's XML: pixels count from 1, and both corners belong to the box."""
    root = ET.Element('annotation')
    _add(root, 'folder', folder)
    _add(root, 'filename', f'{name}.jpg')
    size = _add(root, 'size')
    for key, value in zip(('width', 'height', 'depth'), (*reversed(photo.size), 3)):
        _add(size, key, value)
    _add(root, 'segmented', int(photo.masks is not None))
    for label, score, box in zip(photo.labels, photo.scores, photo.boxes):
        entry = _add(root, 'object')
        _add(entry, 'name', classes[label])
        _add(entry, 'difficult', 0)
        _add(entry, 'score', f'{score:.5f}')
        bounds = _add(entry, 'bndbox')
        x1, y1, x2, y2 = (int(value) for value in np.rint(box))
        corners = dict(xmin=x1 + 1, ymin=y1 + 1, xmax=max(x2, x1 + 1), ymax=max(y2, y1 + 1))
        for key, value in corners.items():
            _add(bounds, key, value)
    ET.indent(root)
    return ET.ElementTree(root)


def _write_lists(
    root: Path,
    split: str,
    names: Sequence[str],
    images: Sequence[LabelledImage],
    present: Sequence[np.ndarray],
    classes: Sequence[str],
) -> Path:
    """Write the list of each class, then the split's own."""
    tags = [labels if one.tags is None else one.tags for one, labels in zip(images, present)]
    lists = root / 'ImageSets' / 'Main'
    for label, class_name in enumerate(classes):
        lines = []
        for name, photo, own in zip(names, images, tags):
            mark = 1 if label in own else 0 if label in photo.ignored_tags else -1
            lines.append(f'{name} {mark:2d}')
        _write_lines(lists / f'{class_name}_{split}.txt', lines)
    if all(photo.masks is not None for photo in images):
        _write_lines(root / 'ImageSets' / 'Segmentation' / f'{split}.txt', names)
    _write_lines(lists / f'{split}.txt', names)
    return lists / f'{split}.txt'


def _write_lines(path: Path, lines: Sequence[str]) -> None:
    with atomic_path(path) as temporary:
        temporary.write_text(''.join(f'{line}\n' for line in lines), encoding='utf-8')
