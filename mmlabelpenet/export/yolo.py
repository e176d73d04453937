"""Writing instances as YOLO's segmentation labels."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from mmengine.fileio import dump
from pycocotools import mask as mask_api
from tqdm import tqdm

from mmlabelpenet.utils import UserError, atomic_path

from .images import place_image, require_elsewhere
from .polygons import join_rings, mask_to_polygons
from .records import ImageReader, LabelledImage, file_names

SPLITS = ('train', 'val', 'test')
NEEDS_MASKS = (
    'YOLO-seg needs masks, which this stage does not make: choose another stage, such as '
    'segmentation or calibration.'
)


def write_yolo(
    images: Sequence[LabelledImage],
    classes: Sequence[str],
    out: str | Path,
    read: ImageReader,
    split: str = 'train',
    link: bool = False,
) -> Path:
    """Write ``images/{split}``, ``labels/{split}`` and ``data.yaml``.

    A line of a label file is an instance: its class, counted from 0, and the x and y of its
    outline as fractions of width and height. YOLO has one outline for an instance, so parts
    that lie apart, and holes, are joined by slits of no width. An image without instances has
    an empty file. ``data.yaml`` names the splits that have been written to the folder so far.

    Args:
        images: All images, also those without instances.
        classes: Names of the classes.
        out: Folder to write to.
        read: Reads an image as the model sees it.
        split: Name of the images' list.
        link: Whether to link images in place of copying them.

    Returns:
        ``data.yaml``.

    Raises:
        UserError: If instances have no masks, or the folder is that of the images themselves.
    """
    root = Path(out)
    require_elsewhere(images, root / 'images' / split)
    progress = tqdm(images, desc='export', unit='photo')
    for name, image in zip(file_names(images), progress):
        if image.masks is None:
            raise UserError(NEEDS_MASKS)
        lines = [f'{label} {outline_of(mask)}' for label, mask in zip(image.labels, image.masks)]
        with atomic_path(root / 'labels' / split / f'{name}.txt') as temporary:
            temporary.write_text(''.join(f'{line}\n' for line in lines), encoding='utf-8')
        place_image(image.img_path, root / 'images' / split / f'{name}.jpg', read, link)
    return _write_summary(root, split, classes)


def outline_of(mask: dict) -> str:
    """The outline of a mask, one polygon, as numbers in 0..1.

    Args:
        mask: Run lengths as pycocotools has them, not empty.
    """
    height, width = mask['size']
    polygon = join_rings(mask_to_polygons(mask_api.decode(mask))) / np.array([width, height])
    return ' '.join(f'{value:.6g}' for value in polygon.clip(0, 1).ravel())


def _write_summary(root: Path, split: str, classes: Sequence[str]) -> Path:
    """Ultralytics wants both ``train`` and ``val``; until there is one, the other stands in."""
    splits = {name: f'images/{name}' for name in SPLITS if (root / 'images' / name).is_dir()}
    splits.setdefault('train', f'images/{split}')
    splits.setdefault('val', splits['train'])
    content = {**splits, 'names': dict(enumerate(classes))}
    with atomic_path(root / 'data.yaml') as temporary:
        text = dump(content, file_format='yaml', allow_unicode=True, sort_keys=False)
        temporary.write_text(text, encoding='utf-8')
    return root / 'data.yaml'
