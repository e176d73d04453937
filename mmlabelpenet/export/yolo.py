"""Writing instances as YOLO's segmentation labels."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from mmengine.fileio import dump

from mmlabelpenet.utils import UserError, mask_areas, write_bytes, write_lines

from .images import exported_names, place_images, require_other_folder
from .manifest import Manifest
from .polygons import join_rings, rle_to_polygons
from .records import ImageReader, LabelledImage, file_names

SPLITS = ('train', 'val', 'test')
NEEDS_MASKS = (
    'YOLO-seg needs masks, which this stage does not predict: choose another stage, such as '
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
    """Write ``images/{split}``, ``labels/{split}``, ``data.yaml`` and ``classes.txt``.

    Each line of a label file is an instance: its class, counted from 0, and the x and y of its
    outline as fractions of width and height. YOLO has one outline per instance, so separate
    parts and holes are joined by cuts of zero width. An image without instances has an empty
    file. ``data.yaml`` names the splits that have been written to the folder so far. Images keep
    their names and subfolders. Files that the last export of the split has written and this one
    has not are removed; other files of the folder are neither removed nor replaced.

    Args:
        images: All images, also those without instances.
        classes: Names of the classes.
        out: Folder to write to.
        read: Reads an image as the model does.
        split: Name of the images' list.
        link: Whether to link images instead of copying them.

    Returns:
        ``data.yaml``.

    Raises:
        UserError: If instances have no masks, the folder is that of the images themselves, or it
            holds an export of other classes or files of the same names.
    """
    if any(image.masks is None for image in images):
        raise UserError(NEEDS_MASKS)
    root, names = Path(out), file_names(images)
    folder = root / 'images' / split
    require_other_folder(images, folder)
    manifest = Manifest(root, 'yolo', split, classes)
    files = exported_names(images, names)
    written = [f'images/{split}/{name}' for name in files]
    written += [f'labels/{split}/{name}.txt' for name in names]
    written += ['data.yaml', 'classes.txt']
    manifest.announce(written)
    # the last image is placed when the next one is asked for
    for (_, image), name in zip(place_images(images, files, folder, read, link), names):
        # the format cannot write a mask without a pixel
        instances = zip(image.labels, image.masks or (), mask_areas(image.masks or ()))
        lines = [f'{label} {outline_of(mask)}' for label, mask, area in instances if area]
        write_lines(root / 'labels' / split / f'{name}.txt', lines)
    path = _write_summary(root, split, classes)
    write_lines(root / 'classes.txt', classes)
    manifest.finish(written)
    return path


def outline_of(mask: dict) -> str:
    """Trace a mask as one polygon, as text of numbers in 0..1.

    Args:
        mask: COCO RLE of a mask that is not empty.
    """
    height, width = mask['size']
    polygon = join_rings(rle_to_polygons(mask)) / np.array([width, height])
    return ' '.join(f'{value:.6g}' for value in polygon.clip(0, 1).ravel())


def _write_summary(root: Path, split: str, classes: Sequence[str]) -> Path:
    """Write ``data.yaml``; Ultralytics needs ``train`` and ``val``, so one replaces the other."""
    splits = {name: f'images/{name}' for name in SPLITS if (root / 'images' / name).is_dir()}
    splits.setdefault('train', f'images/{split}')
    splits.setdefault('val', splits['train'])
    content = {**splits, 'names': dict(enumerate(classes))}
    text = dump(content, file_format='yaml', allow_unicode=True, sort_keys=False)
    write_bytes(root / 'data.yaml', text.encode())
    return root / 'data.yaml'
