"""Generating the data set of :class:`ShapesDataset`."""

import json
import xml.etree.ElementTree as ET
from pathlib import Path

import cv2
import numpy as np

from mmlabelpenet.datasets.devkit import (
    annotation_element,
    object_element,
    write_annotation,
    write_lists,
    write_masks,
)
from mmlabelpenet.utils import UserError, atomic_path, require_writable, write_lines

from .shape_hard import draw_hard_scene
from .shape_objects import CLASSES
from .shape_scene import Scene, draw_scene

# Increased whenever the same seed would give other images than before.
VERSION = 1
MARKER = 'shapes.json'
_SPLITS = ('train', 'val')
_JPEG_QUALITY = 92


def make_shapes(
    root: str | Path,
    num_train: int = 160,
    num_val: int = 60,
    seed: int = 0,
    image_size: tuple[int, int] = (240, 288),
    hard: bool = False,
) -> bool:
    """Generate the data set, unless it already exists with the same settings.

    An image depends only on the seed, its split and its index, so that more images extend a
    data set without changing the existing ones.

    Args:
        root: The devkit year's folder to create, e.g. ``data/shapes/Shapes``.
        num_train: Images of the ``train`` split.
        num_val: Images of the ``val`` split.
        seed: Another seed gives another data set.
        image_size: Shortest and longest side of an image, in pixels.
        hard: Whether objects are hard to tell apart, from their ground and as a whole, see
            :func:`draw_hard_scene`.

    Returns:
        Whether anything was generated.

    Raises:
        UserError: If a number is out of range, or the folder cannot be written to.
    """
    marker, (low, high) = Path(root) / MARKER, image_size
    if min(num_train, num_val, seed) < 0 or not 32 <= low <= high:
        raise UserError(
            f'Shapes needs counts and a seed of at least 0 and 32 <= smallest <= largest side, '
            f'not {num_train}, {num_val}, {seed} and {tuple(image_size)}.'
        )
    settings = json.dumps(
        {
            'version': VERSION,
            'num_train': num_train,
            'num_val': num_val,
            'seed': seed,
            'image_size': [low, high],
            **({'hard': True} if hard else {}),
        }
    )
    if marker.is_file() and marker.read_text(encoding='utf-8').strip() == settings:
        return False
    require_writable(root, folder=True)
    # An interrupted run must not count as a finished one with the old settings.
    marker.unlink(missing_ok=True)
    for split, count in zip(_SPLITS, (num_train, num_val)):
        _write_split(Path(root), split, count, seed, (low, high), hard)
    write_lines(marker, [settings])
    return True


def make_scene(
    seed: int, split: str, index: int, image_size: tuple[int, int], hard: bool = False
) -> Scene:
    """Draw the image of a seed, split and index; the result is always the same."""
    rng = np.random.default_rng([seed, _SPLITS.index(split), index])
    height, width = (int(side) for side in rng.integers(image_size[0], image_size[1] + 1, 2))
    return (draw_hard_scene if hard else draw_scene)((height, width), rng)


def _write_split(
    root: Path, split: str, count: int, seed: int, image_size: tuple[int, int], hard: bool
) -> None:
    """Write images, annotations and masks of one split, then its lists."""
    tags = {}
    for index in range(count):
        scene, name = make_scene(seed, split, index, image_size, hard), f'{split}_{index:05d}'
        with atomic_path(root / 'JPEGImages' / f'{name}.jpg') as temporary:
            cv2.imwrite(str(temporary), scene.img, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
        write_annotation(root, name, _annotation(name, scene))
        values = np.array([0, *(label + 1 for label in scene.labels)], dtype=np.uint8)
        write_masks(root, name, values[scene.instance_map], scene.instance_map)
        tags[name] = {CLASSES[label] for label in scene.labels}
    write_lists(root, split, tags, CLASSES)


def _annotation(name: str, scene: Scene) -> ET.Element:
    """VOC's XML with one line for each object."""
    boxes = zip(scene.labels, scene.boxes())
    objects = [object_element(CLASSES[label], box) for label, box in boxes]
    root = annotation_element('Shapes', name, scene.img.shape[:2], objects)
    root.text = '\n'
    for element in (*root[1:], root):
        element.tail = '\n'
    return root
