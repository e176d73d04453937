"""Writing instances as COCO JSON."""

import json
import os
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from mmlabelpenet.utils import UserError, write_bytes

from .images import exported_names, place_images, require_other_folder
from .manifest import Manifest
from .polygons import rle_to_polygons
from .records import ImageReader, LabelledImage, image_root

SEGMENTATIONS = ('rle', 'polygon')


def write_coco(
    images: Sequence[LabelledImage],
    classes: Sequence[str],
    out: str | Path,
    split: str = 'train',
    segmentation: str = 'rle',
    info: Mapping | None = None,
    read: ImageReader | None = None,
) -> Path:
    """Write ``{out}/annotations/instances_{split}.json``.

    ``file_name`` is relative to ``info.photo_root``, the deepest folder that contains all images,
    and to ``{out}/images/{split}`` if they are linked there; they are not copied. Category ids
    count from 1 in the order of the classes. In addition to COCO's fields, each annotation has a
    ``score`` and each image its ``doubt``.

    Args:
        images: All images, also those without instances.
        classes: Names of the classes.
        out: Folder to write to.
        split: Name of the images' list.
        segmentation: ``'rle'`` (compressed, exact) or ``'polygon'``.
        info: Further entries of ``info``.
        read: Reads an image as the model does, to link the images; None leaves them where they
            are. Linked images that the last export of the split has linked and this one has not
            are removed.

    Returns:
        The file.

    Raises:
        UserError: If there is such a file already, and it is no export.
    """
    path = Path(out) / 'annotations' / f'instances_{split}.json'
    _require_own(path)
    root = image_root(images)
    names = [_below(image.img_path, root) for image in images]
    if read is not None:
        stems = [str(Path(name).with_suffix('')) for name in names]
        names = exported_names(images, stems)
    _place_links(images, names, Path(out), split, classes, read)
    entries, annotations = [], []
    for image_id, (name, image) in enumerate(zip(names, images), start=1):
        size = {'height': image.size[0], 'width': image.size[1]}
        doubt = {'doubt': round(image.doubt, 5)}
        entries.append({'id': image_id, 'file_name': name, **size, **doubt})
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


def _below(path: str, root: Path) -> str:
    return Path(os.path.abspath(path)).relative_to(root).as_posix()


def _place_links(
    images: Sequence[LabelledImage],
    names: Sequence[str],
    out: Path,
    split: str,
    classes: Sequence[str],
    read: ImageReader | None,
) -> None:
    """Link the images, if ``read`` is given, and remove earlier links."""
    folder, manifest = out / 'images' / split, Manifest(out, 'coco', split, classes)
    written = [f'images/{split}/{name}' for name in names] if read is not None else []
    if read is not None:
        require_other_folder(images, folder)
        manifest.announce(written)
        deque(place_images(images, names, folder, read, link=True), maxlen=0)
    if written or manifest.previous:
        manifest.finish(written)


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
