"""VOC annotations, lists and masks."""

# A row is a line, so that the table can be read as one.
# ruff: noqa: E501

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from mmlabelpenet.datasets import LoadInstanceMasks, VOCInstanceDataset
from mmlabelpenet.datasets.devkit import (
    annotation_element,
    object_element,
    write_annotation,
    write_lists,
    write_masks,
)

from .table import BadInput

CLASSES = VOCInstanceDataset.METAINFO['classes']
XML, CLASS, OBJECT = 'Annotations/p.xml', 'SegmentationClass/p.png', 'SegmentationObject/p.png'
LISTS = 'ImageSets/Main'


def make_devkit(root: Path) -> Path:
    """A year of one photo of 30 x 20 pixels with a cat and its masks."""
    year = root / 'VOC2012'
    write_lists(year, 'train', {'p': {'cat'}}, CLASSES)
    write_annotation(
        year,
        'p',
        annotation_element('VOC2012', 'p', (20, 30), [object_element('cat', (2, 3, 12, 9))]),
    )
    masks = np.zeros((2, 20, 30), dtype=np.uint8)
    masks[0, 3:9, 2:12], masks[1, 3:9, 2:12] = CLASSES.index('cat') + 1, 1
    masks[:, 3, 2:12] = 255
    write_masks(year, 'p', *masks)
    (year / 'JPEGImages').mkdir()
    Image.new('RGB', (30, 20)).save(year / 'JPEGImages/p.jpg')
    return year


def loaded(change: Callable[[Path], Any], **settings: Any) -> Callable[[Path], Any]:
    """Load a devkit after a change, with its masks."""

    def run(root: Path) -> Any:
        year = make_devkit(root)
        change(year)
        settings.setdefault('supervision', 'full')
        dataset = VOCInstanceDataset(data_root=str(year), **settings)
        info = dataset.get_data_info(0)
        return LoadInstanceMasks()({**info, 'ori_shape': (20, 30)}).keys()

    return run


def text(path: str, old: str, new: str) -> Callable[[Path], Any]:
    """Replace a text in a file."""

    def change(year: Path) -> None:
        content = (year / path).read_text()
        assert old in content
        (year / path).write_text(content.replace(old, new))

    return change


def content(path: str, data: str | bytes) -> Callable[[Path], Any]:
    """Replace a whole file."""
    return lambda year: (year / path).write_bytes(data.encode() if isinstance(data, str) else data)


def without(path: str) -> Callable[[Path], Any]:
    """Remove a file."""
    return lambda year: (year / path).unlink()


def image(path: str, values: Any, kind: str = 'PNG', **options: Any) -> Callable[[Path], Any]:
    """Replace a mask by an array, or change it by a function."""

    def change(year: Path) -> None:
        with Image.open(year / path) as found:
            new = values(found.copy()) if callable(values) else values
        (Image.fromarray(new) if isinstance(new, np.ndarray) else new).save(
            year / path, kind, **options
        )

    return change


def pipe(path: str) -> Callable[[Path], Any]:
    """Put a pipe in the place of a file."""

    def change(year: Path) -> None:
        (year / path).unlink()
        os.mkfifo(year / path)

    return change


def renamed(path: str, new: str) -> Callable[[Path], Any]:
    """Give a file another name."""
    return lambda year: (year / path).rename(year / new)


def exchanged(year: Path) -> None:
    """Exchange the class mask and the object mask."""
    (year / CLASS).rename(year / 'mask')
    (year / OBJECT).rename(year / CLASS)
    (year / 'mask').rename(year / OBJECT)


def copied(source: str, target: str) -> Callable[[Path], Any]:
    """Copy a mask over the other one, of a photo of two cats."""

    def change(year: Path) -> None:
        text(XML, '</object>', f'</object>{CAT}')(year)
        (year / target).write_bytes((year / source).read_bytes())

    return change


CORNERS = '<xmin>3</xmin><ymin>4</ymin><xmax>12</xmax><ymax>9<'
CAT = f'<object><name>cat</name><bndbox>{CORNERS}/ymax></bndbox></object>'


SIZE = '<width>30</width><height>20</height>'
SECOND = (
    f'<bndbox>{CORNERS}/ymax></bndbox><bndbox>{CORNERS.replace(">12<", ">14<")}/ymax></bndbox>'
)
MASK = np.zeros((20, 30), np.uint8)
CVAT = '<annotations><image name="p.jpg" width="30" height="20"/></annotations>'
LABELME = '<annotation><imagesize><nrows>20</nrows><ncols>30</ncols></imagesize></annotation>'


def two_of_one_number(year: Path) -> None:
    """Masks of a cat and a dog that have the same number."""
    classes = MASK.copy()
    classes[3:9, 2:12], classes[3:9, 15:25] = 8, 12
    write_masks(year, 'p', classes, classes > 0)


# fmt: off
ROWS = [
    BadInput('no devkit', lambda root: VOCInstanceDataset(data_root=str(root / 'VOC2012')), 'There is no data set at {root}/VOC2012: unpack the PASCAL VOC devkit there, or set data_root in the config.'),
    BadInput('no devkit of voc12-mini', lambda root: VOCInstanceDataset(data_root='../voc12mini/VOCdevkit/VOC2012'), 'There is no data set at ../voc12mini/VOCdevkit/VOC2012: make it by `python tools/dataset_converters/voc12_mini.py` from PASCAL VOC 2012, or name the folder that holds its VOCdevkit by the environment variable VOC12MINI_ROOT.'),
    BadInput('no list of the split', loaded(without(f'{LISTS}/train.txt')), "{root}/VOC2012/ImageSets/Main/train.txt cannot be read as a list of images (FileNotFoundError: [Errno 2] No such file or directory: '{root}/VOC2012/ImageSets/Main/train.txt'): unpack the PASCAL VOC devkit there, or set data_root in the config."),
    BadInput('an empty list of the split', loaded(content(f'{LISTS}/train.txt', '')), '{root}/VOC2012/ImageSets/Main/train.txt lists no photo, or all are skipped: add some.'),
    BadInput('a pipe as the list of the split', loaded(pipe(f'{LISTS}/train.txt')), '{root}/VOC2012/ImageSets/Main/train.txt cannot be read as a list of images (OSError: [Errno 22] not a regular file): unpack the PASCAL VOC devkit there, or set data_root in the config.'),
    BadInput('a list of the split in another encoding', loaded(content(f'{LISTS}/train.txt', b'Zo\xeb\n')), "{root}/VOC2012/ImageSets/Main/train.txt cannot be read as a list of images (UnicodeDecodeError: 'utf-8' codec can't decode byte 0xeb in position 2: invalid continuation byte): unpack the PASCAL VOC devkit there, or set data_root in the config."),
    BadInput('file names instead of ids in the list', loaded(content(f'{LISTS}/train.txt', 'p.jpg\n')), 'The photo {root}/VOC2012/JPEGImages/p.jpg.jpg is missing (1 of 1 in {root}/VOC2012/ImageSets/Main/train.txt): there is p.jpg, so correct the name, or rename the file.'),
    BadInput('an id outside the devkit', loaded(content(f'{LISTS}/train.txt', '../p\n')), '{root}/VOC2012/ImageSets/Main/train.txt names the photo ../p.jpg, which is not within {root}/VOC2012/JPEGImages: name photos relative to that folder.'),
    BadInput('a photo that is missing', loaded(without('JPEGImages/p.jpg')), 'The photo {root}/VOC2012/JPEGImages/p.jpg is missing (1 of 1 in {root}/VOC2012/ImageSets/Main/train.txt): unpack the PASCAL VOC devkit there, or set data_root in the config.'),
    BadInput('a photo named .png', loaded(renamed('JPEGImages/p.jpg', 'JPEGImages/p.png')), 'The photo {root}/VOC2012/JPEGImages/p.jpg is missing (1 of 1 in {root}/VOC2012/ImageSets/Main/train.txt): there is p.png, so correct the name, or rename the file.'),
    BadInput('no list of a class', loaded(without(f'{LISTS}/cat_train.txt')), "{root}/VOC2012/ImageSets/Main/cat_train.txt cannot be read as a list of images (FileNotFoundError: [Errno 2] No such file or directory: '{root}/VOC2012/ImageSets/Main/cat_train.txt'): unpack the PASCAL VOC devkit there, or set data_root in the config."),
    BadInput('a line of a class without a mark', loaded(content(f'{LISTS}/cat_train.txt', 'p\n')), '{root}/VOC2012/ImageSets/Main/cat_train.txt does not mark p by 1, 0 or -1: unpack the PASCAL VOC devkit there, or set data_root in the config.'),
    BadInput('a mark of 2', loaded(content(f'{LISTS}/cat_train.txt', 'p 2\n')), '{root}/VOC2012/ImageSets/Main/cat_train.txt does not mark p by 1, 0 or -1: unpack the PASCAL VOC devkit there, or set data_root in the config.'),
    BadInput('a photo marked by both 1 and -1', loaded(content(f'{LISTS}/cat_train.txt', 'p 1\np -1\n')), '{root}/VOC2012/ImageSets/Main/cat_train.txt marks p by both 1 and -1: keep one line.'),
    BadInput('a class that VOC lacks', loaded(lambda year: None, metainfo={'classes': ('cat', 'unicorn')}), "VOCInstanceDataset has no class 'unicorn': choose from aeroplane, bicycle, bird, boat, bottle, bus, car, cat, chair, cow, diningtable, dog, horse, motorbike, person, pottedplant, sheep, sofa, train, tvmonitor."),
    BadInput('unknown supervision', loaded(lambda year: None, supervision='boxes'), "Unknown supervision 'boxes': choose one of none, tags, full."),
    BadInput('no XML', loaded(without(XML)), "{root}/VOC2012/Annotations/p.xml cannot be read as a VOC annotation (FileNotFoundError: [Errno 2] No such file or directory: '{root}/VOC2012/Annotations/p.xml'): restore it, or set data_root."),
    BadInput('an empty XML', loaded(content(XML, '')), '{root}/VOC2012/Annotations/p.xml cannot be read as a VOC annotation (ParseError: no element found: line 1, column 0): restore it, or set data_root.'),
    BadInput('a truncated XML', loaded(content(XML, '<annotation><size><width>30</width>')), '{root}/VOC2012/Annotations/p.xml cannot be read as a VOC annotation (ParseError: no element found: line 1, column 35): restore it, or set data_root.'),
    BadInput('a COCO file instead of an XML', loaded(content(XML, '{\"images\": []}')), '{root}/VOC2012/Annotations/p.xml cannot be read as a VOC annotation (ParseError: not well-formed (invalid token): line 1, column 0): restore it, or set data_root.'),
    BadInput('a pipe as an XML', loaded(pipe(XML)), '{root}/VOC2012/Annotations/p.xml cannot be read as a VOC annotation (OSError: [Errno 22] not a regular file): restore it, or set data_root.'),
    BadInput('an XML without a size', loaded(content(XML, '<annotation></annotation>')), '{root}/VOC2012/Annotations/p.xml cannot be read as a VOC annotation (nothing in <size/width>): write a number.'),
    BadInput('a width of 0', loaded(text(XML, '<width>30<', '<width>0<')), '{root}/VOC2012/Annotations/p.xml says 0 x 20 pixels: fix the size.'),
    BadInput('a width in words', loaded(text(XML, '<width>30<', '<width>wide<')), "{root}/VOC2012/Annotations/p.xml cannot be read as a VOC annotation ('wide' in <size/width>): write a number."),
    BadInput('a typo in a name', loaded(text(XML, '>cat<', '>catt<')), "{root}/VOC2012/Annotations/p.xml has an object with the name 'catt', which is no class: did you mean 'cat'?"),
    BadInput('a name in two words', loaded(text(XML, '>cat<', '>potted plant<')), "{root}/VOC2012/Annotations/p.xml has an object with the name 'potted plant', which is no class: did you mean 'pottedplant'?"),
    BadInput('a class of another data set', loaded(text(XML, '>cat<', '>zebra<')), "{root}/VOC2012/Annotations/p.xml has an object with the name 'zebra', which is no class: use aeroplane, bicycle, bird, boat, bottle, bus, car, cat, chair, cow, diningtable, dog, horse, motorbike, person, pottedplant, sheep, sofa, train, tvmonitor."),
    BadInput('an empty name', loaded(text(XML, '>cat<', '><')), "{root}/VOC2012/Annotations/p.xml has an object with the name '', which is no class: use aeroplane, bicycle, bird, boat, bottle, bus, car, cat, chair, cow, diningtable, dog, horse, motorbike, person, pottedplant, sheep, sofa, train, tvmonitor."),
    BadInput('no name', loaded(text(XML, '<name>cat</name>', '')), "{root}/VOC2012/Annotations/p.xml has an object with the name '', which is no class: use aeroplane, bicycle, bird, boat, bottle, bus, car, cat, chair, cow, diningtable, dog, horse, motorbike, person, pottedplant, sheep, sofa, train, tvmonitor."),
    BadInput('no box', loaded(text(XML, 'bndbox', 'box')), '{root}/VOC2012/Annotations/p.xml cannot be read as a VOC annotation (nothing in <bndbox/xmin>): write the corners of an upright box, bndbox/xmin, bndbox/ymin, bndbox/xmax, bndbox/ymax.'),
    BadInput('a box of three numbers', loaded(text(XML, '<ymax>9</ymax>', '')), '{root}/VOC2012/Annotations/p.xml cannot be read as a VOC annotation (nothing in <bndbox/ymax>): write the corners of an upright box, bndbox/xmin, bndbox/ymin, bndbox/xmax, bndbox/ymax.'),
    BadInput('a corner that is no number', loaded(text(XML, '<ymax>9<', '<ymax>low<')), "{root}/VOC2012/Annotations/p.xml cannot be read as a VOC annotation ('low' in <bndbox/ymax>): write a number."),
    BadInput('a corner of NaN', loaded(text(XML, '<ymax>9<', '<ymax>NaN<')), "{root}/VOC2012/Annotations/p.xml cannot be read as a VOC annotation ('NaN' in <bndbox/ymax>): write a number."),
    BadInput('an infinite corner', loaded(text(XML, '<ymax>9<', '<ymax>inf<')), "{root}/VOC2012/Annotations/p.xml cannot be read as a VOC annotation ('inf' in <bndbox/ymax>): write a number."),
    BadInput('left and right exchanged', loaded(text(XML, '<xmax>12<', '<xmax>1<')), '{root}/VOC2012/Annotations/p.xml has the box of a cat from (3, 4) to (1, 9), which ends before it begins: exchange the corners.'),
    BadInput('top and bottom exchanged', loaded(text(XML, '<ymax>9<', '<ymax>1<')), '{root}/VOC2012/Annotations/p.xml has the box of a cat from (3, 4) to (12, 1), which ends before it begins: exchange the corners.'),
    BadInput('a box in fractions of 1', loaded(text(XML, '<xmin>3</xmin><ymin>4</ymin><xmax>12</xmax><ymax>9<', '<xmin>.1</xmin><ymin>.2</ymin><xmax>.4</xmax><ymax>.5<')), '{root}/VOC2012/Annotations/p.xml has the box of a cat in fractions of 1: multiply it by the width and height.'),
    BadInput('objects within another element', loaded(lambda year: [text(XML, '<object>', '<objects><object>')(year), text(XML, '</object>', '</object></objects>')(year)]), '{root}/VOC2012/Annotations/p.xml has objects within another element: move them to its root.'),
    BadInput('a box that lies outside the photo', loaded(text(XML, '<xmin>3</xmin><ymin>4</ymin><xmax>12<', '<xmin>300</xmin><ymin>4</ymin><xmax>312<')), '{root}/VOC2012/Annotations/p.xml has a box from (300, 4) to (312, 9), beyond the photo of 30 x 20 pixels: fix the box or the size.'),
    BadInput('difficult in words', loaded(text(XML, '<difficult>0<', '<difficult>maybe<')), "{root}/VOC2012/Annotations/p.xml has difficult='maybe' for a cat: write 0 or 1."),
    BadInput('difficult 2', loaded(text(XML, '<difficult>0<', '<difficult>2<')), "{root}/VOC2012/Annotations/p.xml has difficult='2' for a cat: write 0 or 1."),
    BadInput('a mask that is no image', loaded(content(OBJECT, b'nonsense')), '{root}/VOC2012/SegmentationObject/p.png cannot be read as a mask (unknown format or damaged data): restore it.'),
    BadInput('an empty mask', loaded(content(CLASS, b'')), '{root}/VOC2012/SegmentationClass/p.png cannot be read as a mask (unknown format or damaged data): restore it.'),
    BadInput('a truncated mask', loaded(lambda year: (year / CLASS).write_bytes((year / CLASS).read_bytes()[:120])), '{root}/VOC2012/SegmentationClass/p.png cannot be read as a mask (unknown format or damaged data): restore it.'),
    BadInput('a pipe as a mask', loaded(pipe(CLASS)), '{root}/VOC2012/SegmentationClass/p.png cannot be read as a mask (OSError: [Errno 22] not a regular file): restore it.'),
    BadInput('a JPEG named .png', loaded(image(CLASS, lambda mask: mask.convert('RGB'), 'JPEG')), "{root}/VOC2012/SegmentationClass/p.png has pixels of the kind RGB in the format JPEG, which are no exact values: save a PNG of class or object numbers, or in VOC's colours."),
    BadInput('a mask named .jpg', loaded(renamed(CLASS, 'SegmentationClass/p.jpg')), 'The mask {root}/VOC2012/SegmentationClass/p.jpg is no PNG: save it as {root}/VOC2012/SegmentationClass/p.png.'),
    BadInput('a mask in other colours', loaded(image(CLASS, np.full((20, 30, 3), (1, 2, 3), np.uint8))), "{root}/VOC2012/SegmentationClass/p.png has pixels of the kind RGB in the format PNG, which are no exact values: save a PNG of class or object numbers, or in VOC's colours."),
    BadInput('a mask with transparent pixels', loaded(image(CLASS, np.zeros((20, 30, 4), np.uint8))), "{root}/VOC2012/SegmentationClass/p.png has pixels of the kind RGBA in the format PNG, which are no exact values: save a PNG of class or object numbers, or in VOC's colours."),
    BadInput('a mask of floating-point pixels', loaded(image(OBJECT, np.zeros((20, 30), np.float32), 'TIFF')), "{root}/VOC2012/SegmentationObject/p.png has pixels of the kind F in the format TIFF, which are no exact values: save a PNG of class or object numbers, or in VOC's colours."),
    BadInput('a class mask painted in grey', loaded(image(CLASS, lambda mask: mask.convert('RGB').convert('L'))), '{root}/VOC2012/SegmentationClass/p.png has the value 220, but classes have values from 1 to 20: use a data set with its classes, or fix the mask.'),
    BadInput('an unknown value in a class mask', loaded(image(CLASS, np.full((20, 30), 21, np.uint8))), '{root}/VOC2012/SegmentationClass/p.png has the value 21, but classes have values from 1 to 20: use a data set with its classes, or fix the mask.'),
    BadInput('a value of 16 bits in a class mask', loaded(image(CLASS, np.full((20, 30), 300, np.uint16))), '{root}/VOC2012/SegmentationClass/p.png has the value 300, but classes have values from 1 to 20: use a data set with its classes, or fix the mask.'),
    BadInput('masks of two sizes', loaded(image(OBJECT, np.zeros((20, 31), np.uint8))), '{root}/VOC2012/SegmentationClass/p.png and {root}/VOC2012/SegmentationObject/p.png differ in size: unpack the data set again.'),
    BadInput('masks of another size than the photo', loaded(lambda year: write_masks(year, 'p', *np.zeros((2, 10, 15), np.uint8))), '{root}/VOC2012/SegmentationClass/p.png has 15 x 10 pixels, but the photo has 30 x 20: restore the mask.'),
    BadInput('a box that begins left of the photo', loaded(text(XML, '<xmin>3<', '<xmin>-40<')), '{root}/VOC2012/Annotations/p.xml has a box from (-40, 4) to (12, 9), beyond the photo of 30 x 20 pixels: fix the box or the size.'),
    BadInput('a box that ends far beyond the photo', loaded(text(XML, '<xmax>12<', '<xmax>300<')), '{root}/VOC2012/Annotations/p.xml has a box from (3, 4) to (300, 9), beyond the photo of 30 x 20 pixels: fix the box or the size.'),
    BadInput('a box that ends 3 pixels below the photo', loaded(text(XML, '<ymax>9<', '<ymax>23<')), '{root}/VOC2012/Annotations/p.xml has a box from (3, 4) to (12, 23), beyond the photo of 30 x 20 pixels: fix the box or the size.'),
    BadInput('corners of a photo that was made smaller', loaded(text(XML, CORNERS, '<xmin>12</xmin><ymin>16</ymin><xmax>48</xmax><ymax>36<')), '{root}/VOC2012/Annotations/p.xml has a box from (12, 16) to (48, 36), beyond the photo of 30 x 20 pixels: fix the box or the size.'),
    BadInput('class mask and object mask exchanged', loaded(exchanged), '{root}/VOC2012/SegmentationObject/p.png has the classes of the boxes as values, and {root}/VOC2012/SegmentationClass/p.png has not: exchange the class mask and the object mask.'),
    BadInput('an object mask as the class mask', loaded(copied(OBJECT, CLASS)), "{root}/VOC2012/SegmentationClass/p.png shows no class of the photo's boxes: take masks and boxes of one photo, and a class mask that is no object mask."),
    BadInput('a class mask as the object mask', loaded(copied(CLASS, OBJECT)), '{root}/VOC2012/SegmentationObject/p.png is a copy of the class mask, but the photo has 2 boxes: give each object its own value.'),
    BadInput('masks of another class than the boxes', loaded(text(XML, '>cat<', '>dog<')), "{root}/VOC2012/SegmentationClass/p.png shows no class of the photo's boxes: take masks and boxes of one photo, and a class mask that is no object mask."),
    BadInput('indices that choose no photo', loaded(lambda year: None, indices=0), 'indices=0 chooses no photo of {root}/VOC2012, which has 1: give the number of its first photos, or a list of numbers from 0, or leave it out.'),
    BadInput('indices of a photo that the list lacks', loaded(lambda year: None, indices=[0, 5]), 'indices=[0, 5] chooses no photo of {root}/VOC2012, which has 1: give the number of its first photos, or a list of numbers from 0, or leave it out.'),
    BadInput('indices as a text', loaded(lambda year: None, indices='all'), "indices='all' chooses no photo of {root}/VOC2012, which has 1: give the number of its first photos, or a list of numbers from 0, or leave it out."),
    BadInput("mmdet's filter of photos", loaded(lambda year: None, filter_cfg={'filter_empty_gt': True, 'min_size': 32}), "VOCInstanceDataset keeps every photo and knows no filter_cfg ({'filter_empty_gt': True, 'min_size': 32}): leave it out, or name photos in a skip list."),
    BadInput('a misspelt filter of photos', loaded(lambda year: None, filter_cfg={'filter_empty_gts': True}), "VOCInstanceDataset keeps every photo and knows no filter_cfg ({'filter_empty_gts': True}): leave it out, or name photos in a skip list."),
    BadInput('two boxes in an object', loaded(text(XML, f'<bndbox>{CORNERS}/ymax></bndbox>', SECOND)), '{root}/VOC2012/Annotations/p.xml has 2 <bndbox/xmax> in an element, 12 and 14: keep one, or make each an object of its own.'),
    BadInput('two names in an object', loaded(text(XML, '<name>cat</name>', '<name>cat</name><name>dog</name>')), '{root}/VOC2012/Annotations/p.xml has 2 <name> in an element, cat and dog: keep one, or make each an object of its own.'),
    BadInput('difficult both 0 and 1', loaded(text(XML, '<difficult>0<', '<difficult>1</difficult><difficult>0<')), '{root}/VOC2012/Annotations/p.xml has 2 <difficult> in an element, 0 and 1: keep one, or make each an object of its own.'),
    BadInput('two sizes', loaded(text(XML, '<size>', '<size><width>60</width><height>40</height></size><size>')), '{root}/VOC2012/Annotations/p.xml has 2 <size/width> in an element, 30 and 60: keep one, or make each an object of its own.'),
    BadInput('a corner with an underscore', loaded(text(XML, '<xmax>12<', '<xmax>1_2<')), "{root}/VOC2012/Annotations/p.xml cannot be read as a VOC annotation ('1_2' in <bndbox/xmax>): write a number."),
    BadInput('XML of CVAT for images', loaded(content(XML, CVAT)), '{root}/VOC2012/Annotations/p.xml is no VOC annotation (it is of the format CVAT for images): export the labels as PASCAL VOC.'),
    BadInput('XML of LabelMe', loaded(content(XML, LABELME)), '{root}/VOC2012/Annotations/p.xml is no VOC annotation (it is of the format LabelMe): export the labels as PASCAL VOC.'),
    BadInput('XML with a namespace', loaded(text(XML, '<annotation>', '<annotation xmlns="http://example.com/voc">')), '{root}/VOC2012/Annotations/p.xml is no VOC annotation (its elements have the namespace http://example.com/voc): export the labels as PASCAL VOC.'),
    BadInput('elements in capitals', loaded(lambda year: [text(XML, '<object>', '<Object>')(year), text(XML, '</object>', '</Object>')(year)]), '{root}/VOC2012/Annotations/p.xml is no VOC annotation (it writes <Object> for <object>): export the labels as PASCAL VOC.'),
    BadInput('a name with a blank in the list', loaded(content(f'{LISTS}/train.txt', 'my photo\n')), "{root}/VOC2012/ImageSets/Main/train.txt has the line 'my photo': write one name a line, and rename photos whose names have blanks."),
    BadInput('masks of 0 and 255 only', loaded(lambda year: write_masks(year, 'p', *[np.where(MASK, 0, 255)] * 2)), '{root}/VOC2012/SegmentationClass/p.png and {root}/VOC2012/SegmentationObject/p.png show no object with a class, but the photo has boxes (1 in all): give each object its number and its class (0 is background, 255 is void), or remove both masks.'),
    BadInput('an object mask of 0 and 255 only', loaded(image(OBJECT, lambda mask: np.where(np.asarray(mask), 255, 0).astype(np.uint8))), '{root}/VOC2012/SegmentationClass/p.png and {root}/VOC2012/SegmentationObject/p.png show no object with a class, but the photo has boxes (1 in all): give each object its number and its class (0 is background, 255 is void), or remove both masks.'),
    BadInput('an empty object mask of a photo with boxes', loaded(image(OBJECT, MASK)), '{root}/VOC2012/SegmentationClass/p.png and {root}/VOC2012/SegmentationObject/p.png show no object with a class, but the photo has boxes (1 in all): give each object its number and its class (0 is background, 255 is void), or remove both masks.'),
    BadInput('an empty class mask of a photo with boxes', loaded(image(CLASS, MASK)), '{root}/VOC2012/SegmentationClass/p.png and {root}/VOC2012/SegmentationObject/p.png show no object with a class, but the photo has boxes (1 in all): give each object its number and its class (0 is background, 255 is void), or remove both masks.'),
    BadInput('an object mask elsewhere than the class mask', loaded(image(OBJECT, lambda mask: np.asarray(mask)[::-1, ::-1])), '{root}/VOC2012/SegmentationClass/p.png and {root}/VOC2012/SegmentationObject/p.png show no object with a class, but the photo has boxes (1 in all): give each object its number and its class (0 is background, 255 is void), or remove both masks.'),
    BadInput('a number for two objects', loaded(two_of_one_number), '{root}/VOC2012/SegmentationClass/p.png and {root}/VOC2012/SegmentationObject/p.png give object 1 the classes 8 and 12: give each object its own number.'),
    BadInput('a rotated box of roLabelImg', loaded(lambda year: [text(XML, 'bndbox', 'robndbox')(year), text(XML, 'xmin', 'angle')(year)]), '{root}/VOC2012/Annotations/p.xml cannot be read as a VOC annotation (nothing in <bndbox/xmin>): write the corners of an upright box, bndbox/xmin, bndbox/ymin, bndbox/xmax, bndbox/ymax.'),
    BadInput('a photo whose suffix is in capitals', loaded(lambda year: (year / 'JPEGImages/p.jpg').rename(year / 'JPEGImages/p.JPG')), 'The photo {root}/VOC2012/JPEGImages/p.jpg is missing (1 of 1 in {root}/VOC2012/ImageSets/Main/train.txt): there is p.JPG, so correct the name, or rename the file.'),
]
# fmt: on
