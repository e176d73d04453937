"""The generated data set that demo and tests run on."""

import json
from pathlib import Path

import cv2
import numpy as np

from mmlabelpenet.registry import DATASETS
from mmlabelpenet.utils import UserError, atomic_path

from .label_maps import write_label_map, write_lines, write_split
from .shapes_art import CLASSES
from .shapes_scene import Scene, draw_scene
from .voc import VOCInstanceDataset

# Raised whenever the same seed would give other images than before.
VERSION = 1
MARKER = 'shapes.json'
_SPLITS = ('train', 'val')
_JPEG_QUALITY = 92


@DATASETS.register_module()
class ShapesDataset(VOCInstanceDataset):
    """Generated images of textured shapes, in devkit layout, without difficult objects.

    Made by ``tools/dataset_converters/make_shapes.py``. All arguments are those of
    :class:`VOCInstanceDataset`.
    """

    METAINFO = {
        'classes': CLASSES,
        'palette': [
            (245, 200, 60),
            (80, 170, 240),
            (170, 110, 230),
            (90, 200, 130),
            (235, 80, 110),
            (240, 140, 60),
        ],
        'dataset_type': 'Shapes',
    }
    REMEDY = 'run `python tools/dataset_converters/make_shapes.py --out data/shapes/Shapes`'


def make_shapes(
    root: str | Path,
    num_train: int = 160,
    num_val: int = 60,
    seed: int = 0,
    image_size: tuple[int, int] = (240, 288),
) -> bool:
    """Generate the data set, unless it is there already with the same settings.

    An image depends on the seed, its split and its index alone, so that more images extend
    a data set without changing those that it has.

    Args:
        root: The devkit year's folder to make, e.g. ``data/shapes/Shapes``.
        num_train: Images of the ``train`` split.
        num_val: Images of the ``val`` split.
        seed: Another seed gives another data set.
        image_size: Shortest and longest side of an image, in pixels.

    Returns:
        Whether anything had to be made.

    Raises:
        UserError: If a number is out of range.
    """
    root = Path(root)
    low, high = image_size
    if min(num_train, num_val, seed) < 0 or not 32 <= low <= high:
        raise UserError(
            f'Shapes needs counts and a seed of at least 0 and 32 <= smallest <= largest side, '
            f'not {num_train}, {num_val}, {seed} and {tuple(image_size)}.'
        )
    settings = {
        'version': VERSION,
        'num_train': num_train,
        'num_val': num_val,
        'seed': seed,
        'image_size': [low, high],
    }
    if _read_marker(root) == settings:
        return False
    # A cut run must not pass for a finished one of the old settings.
    (root / MARKER).unlink(missing_ok=True)
    for split, count in zip(_SPLITS, (num_train, num_val)):
        _write_split(root, split, count, seed, (low, high))
    with atomic_path(root / MARKER) as temporary:
        temporary.write_text(json.dumps(settings) + '\n', encoding='utf-8')
    return True


def _read_marker(root: Path) -> dict | None:
    """The settings that the data set was made with; None where it isn't finished."""
    try:
        return json.loads((root / MARKER).read_text(encoding='utf-8'))
    except (OSError, ValueError):
        return None


def make_scene(seed: int, split: str, index: int, image_size: tuple[int, int]) -> Scene:
    """The image of this seed, split and index, the same wherever and whenever."""
    rng = np.random.default_rng([seed, _SPLITS.index(split), index])
    height, width = (int(side) for side in rng.integers(image_size[0], image_size[1] + 1, 2))
    return draw_scene((height, width), rng)


def _write_split(
    root: Path, split: str, count: int, seed: int, image_size: tuple[int, int]
) -> None:
    """Write images, annotations and masks of one split, then its lists."""
    img_ids, present = [], []
    for index in range(count):
        scene = make_scene(seed, split, index, image_size)
        img_id = f'{split}_{index:05d}'
        _write_scene(root, img_id, scene)
        img_ids.append(img_id)
        present.append({CLASSES[label] for label in scene.labels})
    write_split(root, split, dict(zip(img_ids, present)), CLASSES)


def _write_scene(root: Path, img_id: str, scene: Scene) -> None:
    with atomic_path(root / 'JPEGImages' / f'{img_id}.jpg') as temporary:
        cv2.imwrite(str(temporary), scene.img, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    write_lines(root / 'Annotations' / f'{img_id}.xml', _annotation(img_id, scene))
    class_values = np.array([0, *(label + 1 for label in scene.labels)], dtype=np.uint8)
    write_label_map(root / 'SegmentationObject' / f'{img_id}.png', scene.instance_map)
    write_label_map(root / 'SegmentationClass' / f'{img_id}.png', class_values[scene.instance_map])


def _annotation(img_id: str, scene: Scene) -> list[str]:
    """VOC's XML: pixels count from 1, and both corners belong to the box."""
    height, width = scene.instance_map.shape
    lines = [
        '<annotation>',
        f'<folder>Shapes</folder><filename>{img_id}.jpg</filename>',
        f'<size><width>{width}</width><height>{height}</height><depth>3</depth></size>',
        '<segmented>1</segmented>',
    ]
    for label, (x1, y1, x2, y2) in zip(scene.labels, scene.boxes()):
        lines.append(
            f'<object><name>{CLASSES[label]}</name><difficult>0</difficult><bndbox>'
            f'<xmin>{x1 + 1}</xmin><ymin>{y1 + 1}</ymin><xmax>{x2}</xmax><ymax>{y2}</ymax>'
            '</bndbox></object>'
        )
    return [*lines, '</annotation>']
