"""Writing instances as tasks of Label Studio, whose regions someone can correct."""

import json
import xml.etree.ElementTree as ET
from collections.abc import Callable, Sequence
from itertools import cycle
from pathlib import Path
from urllib.parse import quote

import numpy as np
from pycocotools import mask as mask_api

from mmlabelpenet.datasets.devkit import voc_palette
from mmlabelpenet.utils import encode_brush, write_bytes

from .images import exported_names, place_images, require_other_folder
from .manifest import Manifest
from .polygons import join_rings, rle_to_polygons
from .records import ImageReader, LabelledImage, file_names

# Label Studio serves the files of its folder of local files under this address.
LOCAL = '/data/local-files/?d='
LABEL_CONFIG = 'label_config.xml'
# Kinds of regions, and their controls in the label config.
CONTROLS = {
    'brushlabels': 'BrushLabels',
    'polygonlabels': 'PolygonLabels',
    'rectanglelabels': 'RectangleLabels',
}


def write_label_studio(
    images: Sequence[LabelledImage],
    classes: Sequence[str],
    out: str | Path,
    read: ImageReader,
    split: str = 'train',
    link: bool = False,
    segmentation: str = 'rle',
) -> Path:
    """Write ``tasks_{split}.json``, ``label_config.xml`` and ``images/{split}``.

    Each image is a task; its instances are the regions of a prediction, whose score is 1 less the
    image's doubt. ``data.photo`` is the name of the image in its data set, by which corrected
    labels find it again. Files of earlier exports are treated as those of :func:`write_yolo`.

    Args:
        images: All images, also those without instances.
        classes: Names of the classes.
        out: Folder to write to, which Label Studio serves as its local files.
        read: Reads an image as the model does.
        split: Name of the images' list.
        link: Whether to link images instead of copying them.
        segmentation: ``'rle'`` for brush regions, ``'polygon'`` for polygons, whose parts and
            holes are joined as those of YOLO; rectangles without masks.

    Returns:
        The tasks.

    Raises:
        UserError: See :func:`write_yolo`.
    """
    root, tasks = Path(out), f'tasks_{split}.json'
    folder = root / 'images' / split
    require_other_folder(images, folder)
    names = exported_names(images, file_names(images))
    manifest = Manifest(root, 'label_studio', split, classes)
    written = [*(f'images/{split}/{name}' for name in names), tasks, LABEL_CONFIG]
    manifest.announce(written)
    kind = 'brushlabels' if segmentation == 'rle' else 'polygonlabels'
    if any(image.masks is None for image in images):
        kind = 'rectanglelabels'
    placed = place_images(images, names, folder, read, link)
    content = [
        _task(image, f'images/{split}/{name}', number, kind, classes)
        for number, (name, image) in enumerate(placed, start=1)
    ]
    write_bytes(root / LABEL_CONFIG, _label_config(kind, classes))
    write_bytes(root / tasks, json.dumps(content).encode())
    manifest.finish(written)
    return root / tasks


def _task(image: LabelledImage, name: str, number: int, kind: str, classes: Sequence[str]) -> dict:
    height, width = image.size
    shared = dict(from_name='label', to_name='image', type=kind, image_rotation=0)
    shared |= dict(original_width=width, original_height=height)
    regions = [
        {
            **shared,
            'id': f'{number}_{index}',
            'score': round(float(image.scores[index]), 5),
            'value': {**VALUES[kind](image, index), kind: [classes[image.labels[index]]]},
        }
        for index in range(len(image))
    ]
    prediction = dict(model_version='mmlabelpenet', score=round(1 - image.doubt, 5))
    data = dict(image=LOCAL + quote(name), photo=image.img_id, doubt=round(image.doubt, 5))
    return dict(data=data, predictions=[dict(prediction, result=regions)])


def _brush(image: LabelledImage, index: int) -> dict:
    mask = mask_api.decode((image.masks or ())[index])
    return dict(format='rle', rle=encode_brush(mask))


def _polygon(image: LabelledImage, index: int) -> dict:
    outline = join_rings(rle_to_polygons((image.masks or ())[index]))
    return dict(points=(outline / image.size[::-1] * 100).tolist(), closed=True)


def _rectangle(image: LabelledImage, index: int) -> dict:
    corners = image.boxes[index].reshape(2, 2).astype(float) / image.size[::-1] * 100
    (x, y), (width, height) = corners[0].tolist(), np.diff(corners, axis=0)[0].tolist()
    return dict(x=x, y=y, width=width, height=height, rotation=0)


VALUES: dict[str, Callable[[LabelledImage, int], dict]] = {
    'brushlabels': _brush,
    'polygonlabels': _polygon,
    'rectanglelabels': _rectangle,
}


def _label_config(kind: str, classes: Sequence[str]) -> bytes:
    """The labelling interface of a project: one control, with VOC's colours."""
    view = ET.Element('View')
    ET.SubElement(view, 'Image', name='image', value='$image', zoom='true')
    control = ET.SubElement(view, CONTROLS[kind], name='label', toName='image')
    for name, colour in zip(classes, cycle(voc_palette()[1:])):
        ET.SubElement(control, 'Label', value=name, background=f'#{bytes(colour).hex()}')
    ET.indent(view)
    return ET.tostring(view, encoding='utf-8')
