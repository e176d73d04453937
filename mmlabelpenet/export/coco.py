"""Writing instances as COCO JSON."""

import json
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from mmlabelpenet.utils import UserError, write_bytes

from .polygons import rle_to_polygons
from .records import LabelledImage, image_root

SEGMENTATIONS = ('rle', 'polygon')


def write_coco(
    images: Sequence[LabelledImage],
    classes: Sequence[str],
    out: str | Path,
    split: str = 'train',
    segmentation: str = 'rle',
    info: Mapping | None = None,
) -> Path:
    """Write ``{out}/annotations/instances_{split}.json``.

    Images are not copied: ``file_name`` is relative to the deepest folder that contains them
    all, which is ``info.photo_root``. Category ids count from 1 in the order of the classes.
    Each annotation has a ``score`` in addition to COCO's fields.

    Args:
        images: All images, also those without instances.
        classes: Names of the classes.
        out: Folder to write to.
        split: Name of the images' list.
        segmentation: ``'rle'`` (compressed, exact) or ``'polygon'``.
        info: Further entries of ``info``.

    Returns:
        The file.

    Raises:
        UserError: If there is such a file already, and it is no export.
    """
    path = Path(out) / 'annotations' / f'instances_{split}.json'
    _require_own(path)
    root = image_root(images)
    entries, annotations = [], []
    for image_id, image in enumerate(images, start=1):
        height, width = image.size
        name = Path(os.path.abspath(image.img_path)).relative_to(root).as_posix()
        entries.append({'id': image_id, 'file_name': name, 'height': height, 'width': width})
        annotations.extend(_annotations(image, image_id, segmentation))
    content = {
        'info': {**(info or {}), 'photo_root': str(root)},
        'licenses': [],
        'images': entries,
        'annotations': [{'id': number, **one} for number, one in enumerate(annotations, start=1)],
        'categories': [{'id': label, 'name': name} for label, name in enumerate(classes, start=1)],
    }
    write_bytes(path, json.dumps(content).encode())
    return path


def _require_own(path: Path) -> None:
    """Make sure that an export does not replace a data set's own file."""
    if not path.exists():
        return
    with suppress(OSError, ValueError):
        content = json.loads(path.read_text(encoding='utf-8'))
        if isinstance(content, dict) and 'photo_root' in (content.get('info') or {}):
            return
    raise UserError(
        f'{path} is there already, and no export of this package has written it: choose another '
        'folder for --out, or move the file away.'
    )


def _annotations(image: LabelledImage, image_id: int, segmentation: str) -> list[dict]:
    masks: list = [None] * len(image) if image.masks is None else image.masks
    instances = zip(image.labels, image.scores, image.boxes.astype(float), masks, image.areas())
    return [
        {
            'image_id': image_id,
            'category_id': int(label) + 1,
            'bbox': [round(value, 2) for value in (x1, y1, x2 - x1, y2 - y1)],
            'area': float(area),
            'iscrowd': 0,
            'segmentation': [] if mask is None else _segmentation(mask, segmentation),
            'score': round(float(score), 5),
        }
        for label, score, (x1, y1, x2, y2), mask, area in instances
    ]


def _segmentation(mask: dict, kind: str) -> dict | list[list[float]]:
    if kind == 'rle':
        counts = mask['counts']
        text = counts.decode('ascii') if isinstance(counts, bytes) else counts
        return {'size': [int(side) for side in mask['size']], 'counts': text}
    polygons = rle_to_polygons(mask)
    return [[round(value, 2) for value in polygon.ravel().tolist()] for polygon in polygons]
