"""Labels that someone has corrected: COCO JSON, or the JSON of Label Studio."""

import re
from collections.abc import Container
from functools import cache
from pathlib import PurePosixPath
from typing import Any, NamedTuple
from urllib.parse import unquote

import numpy as np
from pycocotools import mask as mask_api

from mmlabelpenet.utils import (
    decode_brush,
    explain_read_errors,
    load_json,
    read_file,
    to_rles,
)

from ..tags import SERVED
from .masks import annotation_rle

# Types of regions in Label Studio that are objects.
REGIONS = ('brushlabels', 'polygonlabels', 'rectanglelabels')
REMEDY = (
    'export COCO JSON, or the JSON of Label Studio with brush, polygon or upright rectangle '
    'regions of one label'
)


class CorrectedObject(NamedTuple):
    """An object of an image.

    Attributes:
        label: Name of its class.
        bbox: xyxy in pixels of the image, x2 and y2 exclusive.
        mask: Run lengths of its mask; None if it has only a box.
    """

    label: str
    bbox: tuple[float, ...]
    mask: dict | None


@cache
def read_corrections(path: str) -> dict[str, list[CorrectedObject]]:
    """Read corrected labels.

    Args:
        path: COCO JSON, of which every image counts, or JSON of Label Studio, of which tasks
            with an annotation count.

    Returns:
        The objects of each image by its name without suffix, as the file has it.

    Raises:
        UserError: If it is no such file, or has a region of another kind.
    """
    with explain_read_errors(path, 'corrected labels', REMEDY):
        content = load_json(path, read_file(path))
        return _read_coco(path, content) if isinstance(content, dict) else _read_tasks(content)


def name_in(names: Container[str], img_path: str) -> str | None:
    """Find an image among the names of a file of corrections.

    Args:
        names: Of the file, without suffix.
        img_path: Of the image.

    Returns:
        The longest name that the path ends with; None if there is none.
    """
    parts = PurePosixPath(img_path).with_suffix('').parts
    tails = ('/'.join(parts[start:]) for start in range(len(parts)))
    return next((tail for tail in tails if tail in names), None)


def _plain(name: str) -> str:
    """A name without suffix, and without what Label Studio adds to it on its server."""
    served = SERVED.fullmatch(name)
    name = re.sub('^[0-9a-f]{8}-', '', unquote(served[1])) if served else name
    return str(PurePosixPath(name.replace('\\', '/')).with_suffix(''))


def _read_coco(path: str, content: dict) -> dict[str, list[CorrectedObject]]:
    names = {one['id']: one['name'] for one in content['categories']}
    images = {one['id']: one for one in content['images']}
    found: dict[str, list] = {_plain(one['file_name']): [] for one in images.values()}
    for one in content['annotations']:
        image = images[one['image_id']]
        segmentation = one.get('segmentation')
        size = (image['height'], image['width'])
        mask = annotation_rle(segmentation, size, image['file_name']) if segmentation else None
        x, y, width, height = one['bbox']
        box = (x, y, x + width, y + height)
        found[_plain(image['file_name'])] += [_object(names[one['category_id']], box, mask)]
    return found


def _read_tasks(tasks: list[dict]) -> dict[str, list[CorrectedObject]]:
    done = {
        _name_of(task['data']): [one for one in annotations if not one.get('was_cancelled')]
        for task in tasks
        if (annotations := task.get('annotations'))
    }
    # the last annotation of a task is its latest
    regions = {
        name: [_region(one) for one in annotations[-1]['result'] if 'original_width' in one]
        for name, annotations in done.items()
        if annotations
    }
    # an erased region has neither mask nor box
    return {name: [one for one in objects if one.bbox] for name, objects in regions.items()}


def _name_of(data: dict) -> str:
    return data.get('photo') or _plain(data['image'])


def _region(region: dict[str, Any]) -> CorrectedObject:
    kind, value = region['type'], region['value']
    if kind not in REGIONS or len(value[kind]) != 1 or value.get('rotation'):
        raise ValueError(
            f'a region of the kind {kind} with the labels {value.get(kind)}, turned by '
            f'{value.get("rotation", 0)} degrees'
        )
    size = region['original_height'], region['original_width']
    scale = np.array(size[::-1]) / 100
    if kind == 'brushlabels':
        [mask] = to_rles(decode_brush(value['rle'], size)[None])
    elif kind == 'polygonlabels':
        outline = (np.array(value['points'], dtype=float) * scale).ravel().tolist()
        mask = mask_api.merge(mask_api.frPyObjects([outline], *size))
    else:
        x, y, width, height = (value[key] for key in ('x', 'y', 'width', 'height'))
        corners = np.array([[x, y], [x + width, y + height]]) * scale
        return _object(value[kind][0], tuple(corners.ravel().tolist()), None)
    return _object(value[kind][0], (), mask)


def _object(label: str, box: tuple[float, ...], mask: dict | None) -> CorrectedObject:
    """An object; the box of one with a mask is that of its mask, which may have been redrawn."""
    if mask is not None and mask_api.area(mask):
        x, y, width, height = mask_api.toBbox(mask).tolist()
        return CorrectedObject(label, (x, y, x + width, y + height), mask)
    return CorrectedObject(label, box, None)
