"""Rebuild voc12-mini from a full VOC 2012 devkit, by the list of names in voc12_mini.txt.

1,009 images to learn from and 240 to test on, all of VOC 2012's segmentation `val`. Images are
saved again as JPEG, objects marked difficult are left out of the XML files, and tags name the
classes that the masks hold (the list says where they do not). Masks of objects are VOC's own, or
with `--objects derived` parted as they were for the split that this project's figures come from:
pieces of the class mask, joined where they lie in one box.

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
from mmlabelpenet.utils import UserError, atomic_path, read_image

CLASSES = VOCInstanceDataset.METAINFO['classes']
NAMES = Path(__file__).with_suffix('.txt')
# A piece belongs to a box that holds half of it, give or take some pixels; smaller objects go.
MARGIN, LEAST_SHARE, LEAST_AREA = 3, 0.5, 20

Box = tuple[int, int, int, int, int]


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('devkit', help='VOC 2012, e.g. data/VOCdevkit/VOC2012')
    parser.add_argument('out', help='devkit to make; a folder VOC2012')
    parser.add_argument('--quality', type=int, default=85, help='of the JPEGs; 0 copies them')
    parser.add_argument('--objects', choices=['official', 'derived'], default='official')
    return parser.parse_args(argv)


def read_names() -> dict[str, dict[str, set[str]]]:
    """By split the images, each with the classes that its tags lack although its mask has them."""
    splits: dict[str, dict[str, set[str]]] = {}
    for line in NAMES.read_text(encoding='utf-8').splitlines():
        name, split, *without = line.split()
        splits.setdefault(split, {})[name] = {one.removeprefix('-') for one in without}
    return splits


def boxes_of(root: ET.Element) -> list[Box]:
    """Objects of an annotation as (class value, x1, y1, x2, y2), in VOC's own pixels."""
    corners = ('xmin', 'ymin', 'xmax', 'ymax')
    return [
        (
            CLASSES.index(obj.findtext('name')) + 1,
            *(round(float(obj.findtext(f'bndbox/{key}', ''))) for key in corners),
        )
        for obj in root.iterfind('object')
    ]


def best_box(piece: np.ndarray, value: int, boxes: Sequence[Box]) -> int | None:
    """Place of the box of its class that holds most of a piece, of equal ones the smallest."""
    rows, columns = np.nonzero(piece)
    found = []
    for place, (of_class, x1, y1, x2, y2) in enumerate(boxes):
        inside = (columns >= x1 - MARGIN) & (columns <= x2 + MARGIN)
        inside &= (rows >= y1 - MARGIN) & (rows <= y2 + MARGIN)
        if of_class == value and inside.mean() >= LEAST_SHARE:
            found.append((inside.mean(), -(x2 - x1 + 1) * (y2 - y1 + 1), -place))
    return -max(found)[2] if found else None


def part_objects(classes: np.ndarray, boxes: Sequence[Box]) -> np.ndarray:
    """Part a class map into objects: its pieces, joined where they lie in one box.

    Args:
        classes: [H, W] uint8, 0 = background, class c -> c + 1, 255 = void.
        boxes: Objects as :func:`boxes_of` gives them.

    Returns:
        [H, W] uint8: objects from 1 on by rising class, 255 = void.
    """
    objects = np.where(classes == VOID, VOID, 0).astype(np.uint8)
    count = 0
    for value in np.unique(classes[(classes > 0) & (classes < VOID)]):
        pieces = ndimage.label(classes == value)[0]
        groups: dict[object, list[int]] = {}
        for piece, where in enumerate(ndimage.find_objects(pieces), start=1):
            top, left = where[0].start, where[1].start
            shifted = [
                (of_class, x1 - left, y1 - top, x2 - left, y2 - top)
                for of_class, x1, y1, x2, y2 in boxes
            ]
            place = best_box(pieces[where] == piece, value, shifted)
            groups.setdefault(('piece', piece) if place is None else place, []).append(piece)
        for members in groups.values():
            mask = np.isin(pieces, members)
            if mask.sum() >= LEAST_AREA:
                count += 1
                objects[mask] = count
    return objects


def classes_in(classes: np.ndarray, objects: np.ndarray) -> set[str]:
    """Names of the classes that objects have."""
    values = np.unique(classes[(objects > 0) & (objects < VOID)])
    return {CLASSES[value - 1] for value in values if 0 < value < VOID}


def clean_annotation(root: ET.Element, classes: np.ndarray, objects: np.ndarray) -> ET.Element:
    """Leave difficult objects out; where none is left, the boxes of the masks take their place."""
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
    """Copy an image, or save it again as JPEG."""
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
    derived = part_objects(classes, boxes)
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
        raise UserError(f'{out} is the full devkit itself: name another folder.')
    for split, names in read_names().items():
        tags = {
            name: convert_image(name, devkit, out, args.quality, args.objects == 'official')
            - without
            for name, without in tqdm(names.items(), desc=split, unit='photo')
        }
        print(f'{len(names)} photos in {write_lists(out, split, tags, CLASSES)}')


if __name__ == '__main__':
    run_command(main)
