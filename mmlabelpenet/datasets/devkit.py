"""Writing a year's folder of a VOC devkit: annotations, masks and lists of images.

All code that writes this layout uses these functions; :class:`VOCInstanceDataset` reads it.
"""

import io
import xml.etree.ElementTree as ET
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from mmlabelpenet.utils import (
    UserError,
    atomic_path,
    explain_read_errors,
    read_file,
    write_bytes,
    write_lines,
)

VOID = 255
# Names of own classes, by the values of the masks: the first one has the value 1.
CLASS_FILE = 'ImageSets/classes.txt'


def voc_palette() -> np.ndarray:
    """VOC's colour map, RGB [256, 3] uint8: the bits of an index spread over the channels."""
    index = np.arange(256)
    rgb: np.ndarray = np.zeros((256, 3), dtype=np.int64)
    for bit in range(8):
        for channel in range(3):
            rgb[:, channel] |= (index >> (3 * bit + channel) & 1) << (7 - bit)
    return rgb.astype(np.uint8)


def write_mask(path: str | Path, values: np.ndarray) -> None:
    """Write an index mask as a PNG in VOC's colours.

    Args:
        path: The file, which appears whole or not at all.
        values: [H, W] uint8.
    """
    image = Image.fromarray(np.asarray(values, dtype=np.uint8)).convert('P')
    image.putpalette(voc_palette().tobytes())
    with atomic_path(path) as temporary:
        image.save(temporary)


def read_mask(path: str | Path) -> np.ndarray:
    """Read the values of a mask: palette indices, grey values, or colours of VOC's colour map.

    Args:
        path: The file.

    Returns:
        [H, W] uint8, or int32 if the file has more than 8 bits per pixel.

    Raises:
        UserError: If it cannot be read, was compressed with loss, or has other colours.
    """
    with explain_read_errors(path, 'a mask', 'restore it'):
        data = read_file(path)
    try:
        with Image.open(io.BytesIO(data)) as image:
            image.load()
    except Exception:
        raise UserError(
            f'{path} cannot be read as a mask (unknown format or damaged data): restore it.'
        ) from None
    lossy = image.format in ('JPEG', 'MPO') or (image.format == 'WEBP' and image.mode != 'P')
    if not lossy and image.mode in ('1', 'L', 'P'):
        return np.asarray(image, dtype=np.uint8)
    if not lossy and image.mode[0] == 'I':
        return np.asarray(image).astype(np.int32)
    if not lossy and image.mode in ('LA', 'RGB', 'RGBA'):
        values = _values_of_colours(np.asarray(image.convert('RGBA')))
        if values is not None:
            return values
    raise UserError(
        f'{path} has pixels of the kind {image.mode} in the format {image.format}, which are no '
        "exact values: save a PNG of class or object numbers, or in VOC's colours."
    )


def _values_of_colours(rgba: np.ndarray) -> np.ndarray | None:
    """Find the indices of colours [H, W, 4] in VOC's colour map, or their grey values.

    Returns:
        [H, W] uint8; None for other colours and transparent pixels.
    """
    rgb = rgba[..., :3].astype(np.int64)
    index = np.full(1 << 24, -1, dtype=np.int16)
    palette = voc_palette().astype(np.int64)
    index[palette @ [1 << 16, 1 << 8, 1]] = np.arange(256)
    values = index[rgb @ [1 << 16, 1 << 8, 1]]
    if (values < 0).any():
        is_grey = (rgb == rgb[..., :1]).all()
        values = rgb[..., 0] if is_grey else values
    exact = (values >= 0).all() and (rgba[..., 3] == 255).all()
    return values.astype(np.uint8) if exact else None


def write_masks(
    devkit: str | Path, name: str, class_mask: np.ndarray, object_mask: np.ndarray
) -> None:
    """Write the two masks of an image.

    Args:
        devkit: The year's folder.
        name: Name of the image without suffix.
        class_mask: [H, W] uint8, 0 = background, class c -> c + 1, 255 = void.
        object_mask: [H, W] uint8, 0 = background, an object's number, 255 = void.
    """
    write_mask(Path(devkit) / 'SegmentationClass' / f'{name}.png', class_mask)
    write_mask(Path(devkit) / 'SegmentationObject' / f'{name}.png', object_mask)


def _element(tag: str, content: object) -> ET.Element:
    """An element with a text, or with the children of a mapping."""
    element = ET.Element(tag)
    if isinstance(content, Mapping):
        element.extend(_element(name, value) for name, value in content.items())
    else:
        element.text = str(content)
    return element


def object_element(name: str, box: Sequence[int], score: float | None = None) -> ET.Element:
    """Make the XML element of an object that is not difficult.

    Args:
        name: Its class.
        box: xyxy in pixels, x2 and y2 exclusive. VOC counts pixels from 1 and includes both
            corners.
        score: Of a prediction.
    """
    x1, y1, x2, y2 = box
    corners = dict(xmin=x1 + 1, ymin=y1 + 1, xmax=x2, ymax=y2)
    scored = {} if score is None else {'score': f'{score:.5f}'}
    return _element('object', {'name': name, 'difficult': 0, **scored, 'bndbox': corners})


def annotation_element(
    folder: str,
    name: str,
    size: tuple[int, int],
    objects: Sequence[ET.Element],
    segmented: bool = True,
) -> ET.Element:
    """Make the XML of an image.

    Args:
        folder: Name of the devkit's folder.
        name: Name of the image without suffix.
        size: Its (height, width).
        objects: From :func:`object_element`.
        segmented: Whether the devkit has masks of the image.
    """
    shape = dict(width=size[1], height=size[0], depth=3)
    content = dict(folder=folder, filename=f'{name}.jpg', size=shape, segmented=int(segmented))
    root = _element('annotation', content)
    root.extend(objects)
    return root


def write_annotation(devkit: str | Path, name: str, root: ET.Element) -> None:
    """Write ``Annotations/{name}.xml``, see :func:`annotation_element`."""
    content = ET.tostring(root, encoding='utf-8', xml_declaration=False)
    write_bytes(Path(devkit) / 'Annotations' / f'{name}.xml', content)


def devkit_classes(devkit: str | Path) -> tuple[str, ...] | None:
    """Read the classes of a devkit that is an export of own classes.

    Args:
        devkit: The year's folder.

    Returns:
        Their names, in the order of their values in masks; None for a devkit of VOC's classes.

    Raises:
        UserError: If the list is unreadable, or empty, or has a name twice.
    """
    path = Path(devkit) / CLASS_FILE
    if not path.is_file():
        return None
    with explain_read_errors(path, 'a list of classes', 'write a class a line'):
        lines = read_file(path).decode('utf-8-sig').splitlines()
        names = tuple(line.strip() for line in lines if line.strip())
        if not names or len({*names}) < len(names) or len(names) >= VOID:
            raise ValueError(f'{len(names)} names, {len({*names})} of them different')
        return names


def write_lists(
    devkit: str | Path,
    split: str,
    tags: Mapping[str, Collection[str]],
    classes: Sequence[str],
    ignored: Mapping[str, Collection[str]] | None = None,
    segmented: bool = True,
) -> Path:
    """Write the lists of a split: per class the mark of each image, and the images.

    The list of the split itself is written last, so that the files of a listed split exist.

    Args:
        devkit: The year's folder.
        split: Name of the split.
        tags: By image, in the order of the list, the names of the classes marked 1.
        classes: All classes.
        ignored: By image, the names of the classes marked 0; those in neither are marked -1.
        segmented: Whether to list the images under ``ImageSets/Segmentation`` as well.

    Returns:
        The list of the split.
    """
    lists = Path(devkit) / 'ImageSets'
    for name in classes:
        marks = dict.fromkeys(tags, -1)
        marks |= {image: 0 for image in tags if name in (ignored or {}).get(image, ())}
        marks |= {image: 1 for image, found in tags.items() if name in found}
        lines = (f'{image} {mark:2d}' for image, mark in marks.items())
        write_lines(lists / 'Main' / f'{name}_{split}.txt', lines)
    if segmented:
        write_lines(lists / 'Segmentation' / f'{split}.txt', tags)
    write_lines(lists / 'Main' / f'{split}.txt', tags)
    return lists / 'Main' / f'{split}.txt'
