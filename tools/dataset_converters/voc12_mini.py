"""Rebuild voc12-mini from a full VOC 2012 devkit, by the list of names in voc12_mini.txt.

It has 1,009 training and 240 test images, all from VOC 2012's segmentation `val`. Images are
saved again as JPEG, difficult objects are left out of the XML files, and the tags are the classes
in the masks (except where the list says otherwise). Object masks are those of VOC, or with
`--objects derived` those of the split that this project's figures were measured on: connected
components of the class mask, merged if they lie in the same box.

Example:
    python tools/dataset_converters/voc12_mini.py data/VOCdevkit/VOC2012 \
        data/voc12mini/VOCdevkit/VOC2012
"""

import argparse
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image
from scipy import ndimage
from tqdm import tqdm

from mmlabelpenet.apis import run_command
from mmlabelpenet.datasets import VOCInstanceDataset
from mmlabelpenet.datasets.devkit import (
    VOID,
    object_element,
    read_mask,
    write_annotation,
    write_lists,
    write_masks,
)
from mmlabelpenet.utils import Parser, UserError, atomic_path, number, read_image

CLASSES = VOCInstanceDataset.METAINFO['classes']
NAMES = Path(__file__).with_suffix('.txt')
# A component belongs to a box, enlarged by the margin, that contains this fraction of it; smaller
# objects are removed.
MARGIN, MIN_FRACTION, MIN_AREA = 3, 0.5, 20

Box = tuple[int, int, int, int, int]


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('devkit', help='VOC 2012, e.g. data/VOCdevkit/VOC2012')
    parser.add_argument('out', help='devkit to create; a folder VOC2012')
    parser.add_argument(
        '--quality', type=number(int, 0, 100), default=85, help='of the JPEGs; 0 copies them'
    )
    parser.add_argument('--objects', choices=['official', 'derived'], default='official')
    return parser.parse_args(argv)


def read_names() -> dict[str, dict[str, set[str]]]:
    """Read by split the images, each with the classes of its mask that are missing in its tags."""
    splits: dict[str, dict[str, set[str]]] = {}
    for line in NAMES.read_text(encoding='utf-8').splitlines():
        name, split, *missing = line.split()
        splits.setdefault(split, {})[name] = {one.removeprefix('-') for one in missing}
    return splits


def boxes_of(root: ET.Element) -> list[Box]:
    """List the objects of an annotation as (class value, x1, y1, x2, y2), in VOC's pixels."""
    corners = ('xmin', 'ymin', 'xmax', 'ymax')
    return [
        (
            CLASSES.index(obj.findtext('name')) + 1,
            *(round(float(obj.findtext(f'bndbox/{key}', ''))) for key in corners),
        )
        for obj in root.iterfind('object')
    ]


def best_box(piece: np.ndarray, value: int, boxes: Sequence[Box]) -> int | None:
    """Find the box of its class that contains most of a component, of equal ones the smallest."""
    rows, columns = np.nonzero(piece)
    found = []
    for index, (of_class, x1, y1, x2, y2) in enumerate(boxes):
        inside = (columns >= x1 - MARGIN) & (columns <= x2 + MARGIN)
        inside &= (rows >= y1 - MARGIN) & (rows <= y2 + MARGIN)
        if of_class == value and inside.mean() >= MIN_FRACTION:
            found.append((inside.mean(), -(x2 - x1 + 1) * (y2 - y1 + 1), -index))
    return -max(found)[2] if found else None


def split_objects(classes: np.ndarray, boxes: Sequence[Box]) -> np.ndarray:
    """Split a class mask into objects: its components, merged if they lie in the same box.

    Args:
        classes: [H, W] uint8, 0 = background, class c -> c + 1, 255 = void.
        boxes: Objects from :func:`boxes_of`.

    Returns:
        [H, W] uint8: objects from 1 on by rising class, 255 = void.
    """
    objects = np.where(classes == VOID, VOID, 0).astype(np.uint8)
    count = 0
    for value in np.unique(classes[(classes > 0) & (classes < VOID)]):
        pieces, number = ndimage.label(classes == value)
        groups: dict[object, list[int]] = {}
        for piece in range(1, number + 1):
            index = best_box(pieces == piece, value, boxes)
            groups.setdefault(('piece', piece) if index is None else index, []).append(piece)
        for members in groups.values():
            mask = np.isin(pieces, members)
            if mask.sum() >= MIN_AREA:
                count += 1
                objects[mask] = count
    return objects


def classes_in(classes: np.ndarray, objects: np.ndarray) -> set[str]:
    """List the names of the objects' classes."""
    values = np.unique(classes[(objects > 0) & (objects < VOID)])
    return {CLASSES[value - 1] for value in values if 0 < value < VOID}


def clean_annotation(root: ET.Element, classes: np.ndarray, objects: np.ndarray) -> ET.Element:
    """Remove difficult objects; if none is left, add the boxes of the masks instead."""
    kept = [obj for obj in root.iterfind('object') if obj.findtext('difficult') != '1']
    for obj in list(root.iterfind('object')):
        root.remove(obj)
    root.extend(kept)
    for value in np.unique(objects[(objects > 0) & (objects < VOID)]) if not kept else ():
        rows, columns = np.nonzero(objects == value)
        name = CLASSES[classes[rows[0], columns[0]] - 1]
        box = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
        root.append(object_element(name, box))
    return root


def save_image(source: Path, target: Path, quality: int) -> None:
    """Copy an image, or save it again as JPEG with a quality."""
    with atomic_path(target) as temporary:
        if quality:
            Image.fromarray(read_image(source)[..., ::-1]).save(temporary, quality=quality)
        else:
            temporary.write_bytes(source.read_bytes())


def convert_image(name: str, devkit: Path, out: Path, quality: int, official: bool) -> set[str]:
    """Write an image, its annotation and its masks.

    Returns:
        Its tags.

    Raises:
        UserError: If a file is missing or damaged.
    """
    path = devkit / 'Annotations' / f'{name}.xml'
    try:
        root = ET.parse(path).getroot()
        boxes = boxes_of(root)
    except (OSError, ET.ParseError, ValueError) as error:
        raise UserError(f'{path} is no VOC annotation ({error}): unpack VOC 2012 again.') from None
    classes = read_mask(devkit / 'SegmentationClass' / f'{name}.png')
    derived = split_objects(classes, boxes)
    objects = read_mask(devkit / 'SegmentationObject' / f'{name}.png') if official else derived
    save_image(devkit / 'JPEGImages' / f'{name}.jpg', out / 'JPEGImages' / f'{name}.jpg', quality)
    write_masks(out, name, classes, objects)
    write_annotation(out, name, clean_annotation(root, classes, derived))
    return classes_in(classes, derived)


def main(argv: Sequence[str] | None = None) -> None:
    """Rebuild.

    Args:
        argv: Arguments of the command line without the program; None reads ``sys.argv``.

    Raises:
        UserError: On bad input.
    """
    args = parse_args(argv)
    devkit, out = Path(args.devkit), Path(args.out)
    if not 0 <= args.quality <= 95:
        raise UserError('--quality must be from 0 (copy) to 95.')
    if out.resolve() == devkit.resolve():
        raise UserError(f'{out} is the full devkit itself: choose another folder.')
    for split, names in read_names().items():
        tags = {
            name: convert_image(name, devkit, out, args.quality, args.objects == 'official')
            - missing
            for name, missing in tqdm(names.items(), desc=split, unit='photo')
        }
        print(f'{len(names)} photos in {write_lists(out, split, tags, CLASSES)}')


if __name__ == '__main__':
    run_command(main)
