"""Bad COCO files, and classes that differ between data and checkpoint."""

# A row is a line, so that the table can be read as one.
# ruff: noqa: E501

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mmengine.config import Config
from PIL import Image

from mmlabelpenet.apis.classes import unify_tested_classes, unify_trained_classes
from mmlabelpenet.datasets import COCOInstanceDataset
from mmlabelpenet.utils import register_all_modules

from .table import BadInput

PIPELINE = [{'type': 'LoadImageFromFile'}, {'type': 'LoadInstanceMasks'}]
FOLDER = {'data_root': 'zoo', 'ann_file': 'a.json', 'data_prefix': {'img': 'photos'}}
CONTENT: dict[str, list[dict]] = {
    'categories': [{'id': 18, 'name': 'dog'}, {'id': 7, 'name': 'train'}],
    'images': [
        {'id': 139, 'file_name': '1.png', 'width': 20, 'height': 12},
        {'id': 140, 'file_name': '2.png', 'width': 20, 'height': 12},
    ],
    'annotations': [
        {
            'id': 1,
            'image_id': 139,
            'category_id': 18,
            'bbox': [2, 1, 10, 10],
            'segmentation': [[2, 1, 12, 1, 12, 11, 2, 11]],
            'iscrowd': 0,
        }
    ],
}
Run = Callable[[Path], Any]


def make_zoo(root: Path, content: bytes | None = None) -> None:
    """Write the photos and the COCO file; None writes a good one."""
    folder = root / 'zoo' / 'photos'
    folder.mkdir(parents=True)
    for name in ('1.png', '2.png', '1.jpg'):
        Image.new('RGB', (20, 12)).save(folder / name)
    text = json.dumps(CONTENT).encode() if content is None else content
    (root / 'zoo' / 'a.json').write_bytes(text)


def load(**kwargs: Any) -> COCOInstanceDataset:
    """Load the data set as a test does."""
    register_all_modules()
    return COCOInstanceDataset(**{**FOLDER, 'supervision': 'full', **kwargs})


def settings(**kwargs: Any) -> Run:
    """Load the good content with these settings."""

    def run(root: Path) -> Any:
        make_zoo(root)
        return load(**kwargs)

    return run


def others(number: int, **changes: Any) -> Run:
    """Add copies of the annotation beside the one that is changed."""
    good = [{**CONTENT['annotations'][0], 'id': 2 + i} for i in range(number)]
    return put('annotations', [CONTENT['annotations'][0] | changes, *good])


def raw(content: bytes) -> Run:
    """Load a file of these bytes."""

    def run(root: Path) -> Any:
        make_zoo(root, content)
        return load()

    return run


def text(content: str) -> Run:
    """Load a file of this text."""
    return raw(content.encode())


def folder(root: Path) -> Any:
    """Load a folder."""
    (root / 'zoo' / 'a.json').mkdir(parents=True)
    return load()


def missing(root: Path) -> Any:
    """Load nothing."""
    return load()


def put(key: str, value: Any) -> Run:
    """Load the good content with another list."""
    return text(json.dumps({**CONTENT, key: value}))


def drop(key: str) -> Run:
    """Load the good content without a list."""
    return text(json.dumps({name: value for name, value in CONTENT.items() if name != key}))


def _changed(key: str, changes: dict) -> Run:
    """Load the good content with changes of the last entry of a list; None removes a key."""
    entries = copy.deepcopy(CONTENT[key])
    entries[-1] = {name: one for name, one in (entries[-1] | changes).items() if one is not None}
    return put(key, entries)


def category(**changes: Any) -> Run:
    """Change a category: the second, which is also a dog's."""
    first = {'id': 7, 'name': 'train'}
    second = {'id': 18, 'name': 'dog'} | changes
    return put('categories', [first, {k: v for k, v in second.items() if v is not None}])


def image(**changes: Any) -> Run:
    """Change the second image."""
    return _changed('images', changes)


def annotation(**changes: Any) -> Run:
    """Change the annotation."""
    return _changed('annotations', changes)


def runs(counts: Any, size: Any = (12, 20)) -> Run:
    """Let the annotation have run lengths."""
    given = {'size': size, 'counts': counts}
    return annotation(segmentation={k: v for k, v in given.items() if v is not None})


def read_image(**changes: Any) -> Run:
    """Read the first photo, which is annotated with another size."""

    def run(root: Path) -> Any:
        content = copy.deepcopy(CONTENT)
        content['images'][0].update(changes)
        content['annotations'][0].update(bbox=[1, 1, 5, 5], segmentation=[[1, 1, 6, 1, 6, 6]])
        make_zoo(root, json.dumps(content).encode())
        return load(pipeline=PIPELINE)[0]

    return run


def loader(**kwargs: Any) -> dict:
    """Config of a data loader of the data set."""
    dataset = dict(type='COCOInstanceDataset', **FOLDER, supervision='full', **kwargs)
    return {'dataset': dataset}


def of_checkpoint(classes: Any, key: str = 'classes', **kwargs: Any) -> Run:
    """Test a checkpoint of these classes."""

    def run(root: Path) -> Any:
        make_zoo(root)
        checkpoint = {'meta': {'dataset_meta': {key: classes}}, 'state_dict': {}}
        cfg = Config({'test_dataloader': loader(**kwargs)})
        return unify_tested_classes(cfg, checkpoint, 'epoch_7.pth')

    return run


def of_training(change: dict, classes: Any = None, **settings: Any) -> Run:
    """Train on the data set, validate on another; resume a run of these classes."""

    def run(root: Path) -> Any:
        make_zoo(root)
        other = json.dumps(CONTENT | change)
        (root / 'zoo' / 'b.json').write_text(other)
        val = loader()
        val['dataset']['ann_file'] = 'b.json'
        loaders = {'train_dataloader': loader(), 'val_dataloader': val}
        cfg = Config({**loaders, 'val_cfg': {'type': 'ValLoop'}, **settings})
        checkpoint = {'meta': {'dataset_meta': {'classes': classes}}} if classes else None
        return unify_trained_classes(cfg, checkpoint)

    return run


def mmdet(classes: tuple[str, ...]) -> Run:
    """Train mmdet's CocoDataset with these classes."""

    def run(root: Path) -> Any:
        make_zoo(root)
        dataset = dict(type='mmdet.CocoDataset', **FOLDER, metainfo={'classes': classes})
        return unify_trained_classes(Config({'train_dataloader': {'dataset': dataset}}))

    return run


# fmt: off
ROWS = [
    BadInput('an empty file', text(''), 'zoo/a.json cannot be read as a COCO JSON file (JSONDecodeError: Expecting value: line 1 column 1 (char 0)): fix it, or set data_root and ann_file in the config.'),
    BadInput('JSON that ends in the middle', text('{"images": ['), 'zoo/a.json cannot be read as a COCO JSON file (JSONDecodeError: Expecting value: line 1 column 13 (char 12)): fix it, or set data_root and ann_file in the config.'),
    BadInput('not JSON but XML', text('<annotation/>'), 'zoo/a.json cannot be read as a COCO JSON file (JSONDecodeError: Expecting value: line 1 column 1 (char 0)): fix it, or set data_root and ann_file in the config.'),
    BadInput('not UTF-8', raw(b'{"images": "\xff\xfe\xfa"}'), "zoo/a.json cannot be read as a COCO JSON file (UnicodeDecodeError: 'utf-8' codec can't decode byte 0xff in position 12: invalid start byte): fix it, or set data_root and ann_file in the config."),
    BadInput('a list of results', text('[{"image_id": 1, "category_id": 1, "score": 0.5}]'), 'zoo/a.json holds a list instead of images, annotations and categories: fix it, or set data_root and ann_file in the config.'),
    BadInput('a folder instead of a file', folder, "zoo/a.json cannot be read as a COCO JSON file (IsADirectoryError: [Errno 21] Is a directory: 'zoo/a.json'): fix it, or set data_root and ann_file in the config."),
    BadInput('no file', missing, "zoo/a.json cannot be read as a COCO JSON file (FileNotFoundError: [Errno 2] No such file or directory: 'zoo/a.json'): fix it, or set data_root and ann_file in the config."),
    BadInput('nested too deeply', text('[' * 100_000), 'zoo/a.json cannot be read as a COCO JSON file (RecursionError: maximum recursion depth exceeded while decoding a JSON array from a unicode string): fix it, or set data_root and ann_file in the config.'),
    BadInput('no list of images', drop('images'), 'zoo/a.json has no list of images: take a file of instances, with images, annotations and categories.'),
    BadInput('no list of categories', drop('categories'), 'zoo/a.json has no list of categories: take a file of instances, with images, annotations and categories.'),
    BadInput('no annotations', drop('annotations'), "zoo/a.json has no annotations: add them, or set supervision='none' for test photos."),
    BadInput('an empty list of annotations', put('annotations', []), "zoo/a.json has no annotations: add them, or set supervision='none' for test photos."),
    BadInput('an empty list of images', put('images', []), 'zoo/a.json lists no photo: list them under images.'),
    BadInput('an empty list of categories', put('categories', []), 'zoo/a.json has no category: list the classes there.'),
    BadInput('images by id instead of a list', put('images', {'1': 'a.png'}), 'zoo/a.json has no list of images: take a file of instances, with images, annotations and categories.'),
    BadInput('numbers in the list of annotations', put('annotations', [1, 2]), 'zoo/a.json has no list of annotations: take a file of instances, with images, annotations and categories.'),
    BadInput('two categories of one id', category(id=7), "zoo/a.json has two categories of the id 7 ('train' and 'dog'): give each its own id."),
    BadInput('two categories of one id, once as text', category(id='7'), "zoo/a.json has two categories of the id 7 ('train' and 'dog'): give each its own id."),
    BadInput('two categories of one name', category(name='train'), "zoo/a.json has two categories of the name 'train' (ids 7 and 18): keep one, and use its id in all annotations."),
    BadInput('two names that differ by a blank', category(name='train '), "zoo/a.json has two categories of the name 'train' (ids 7 and 18): keep one, and use its id in all annotations."),
    BadInput('a name in two lines', category(name='do\ng'), "zoo/a.json has the category 'do\\ng': write its name in one line of text."),
    BadInput('half a letter in a name', category(name='d\ud83dg'), "zoo/a.json has the category 'd\\ud83dg': write its name in one line of text."),
    BadInput('a category without a name', category(name=None), 'zoo/a.json has no name of the category 18: write it as a text.'),
    BadInput('a category with an empty name', category(name=' '), 'zoo/a.json has no name of the category 18: write it as a text.'),
    BadInput('a category with a number as name', category(name=3), 'zoo/a.json has no name of the category 18: write it as a text.'),
    BadInput('a category without an id', category(id=None), 'zoo/a.json has no valid id of category number 2: give it a number of its own.'),
    BadInput('a category with a list as id', category(id=[1]), 'zoo/a.json has no valid id of category number 2: give it a number of its own.'),
    BadInput('two photos of one id', image(id=139), 'zoo/a.json lists two photos of the id 139 (1.png and 2.png): give each its own id.'),
    BadInput('two photos of one id, once as text', image(id='139'), 'zoo/a.json lists two photos of the id 139 (1.png and 2.png): give each its own id.'),
    BadInput('one photo under two ids', image(file_name='1.png'), 'zoo/a.json lists the photo 1.png under two ids (139 and 140): keep one, and use it in all annotations.'),
    BadInput('one photo under two ids, once as ./1.png', image(file_name='./1.png'), 'zoo/a.json lists the photo ./1.png under two ids (139 and 140): keep one, and use it in all annotations.'),
    BadInput('photos that differ only in their suffix', image(file_name='1.jpg'), 'zoo/a.json lists 1.png and 1.jpg, which differ only in their suffix: rename one, because results and proposals are stored without it.'),
    BadInput('a photo without an id', image(id=None), 'zoo/a.json has no valid id of photo number 2 (2.png): give it a number of its own.'),
    BadInput('a photo with true as id', image(id=True), 'zoo/a.json has no valid id of photo number 2 (2.png): give it a number of its own.'),
    BadInput('a photo without a file name', image(file_name=None), 'zoo/a.json has no file_name of the photo 140: write it as a text.'),
    BadInput('a photo with a number as file name', image(file_name=5), 'zoo/a.json has no file_name of the photo 140: write it as a text.'),
    BadInput('a photo without a size', image(width=None), 'zoo/a.json has no valid height and width of the photo 2.png: write pixels, up to 32767.'),
    BadInput('a photo of width 0', image(width=0), 'zoo/a.json has no valid height and width of the photo 2.png: write pixels, up to 32767.'),
    BadInput('a photo of 20.5 pixels', image(width=20.5), 'zoo/a.json has no valid height and width of the photo 2.png: write pixels, up to 32767.'),
    BadInput('a photo of 3000000 pixels in width', image(width=3_000_000), 'zoo/a.json has no valid height and width of the photo 2.png: write pixels, up to 32767.'),
    BadInput('a photo that is missing', image(file_name='gone.png'), 'The photo zoo/photos/gone.png is missing (1 of 2 in zoo/a.json): put it there, or set data_root, ann_file and data_prefix in the config.'),
    BadInput('a photo outside the folder', image(file_name='../1.png'), 'zoo/a.json names the photo ../1.png, which is not within zoo/photos: name photos relative to that folder.'),
    BadInput('a photo of another size than annotated', read_image(width=24, height=10), 'zoo/photos/1.png has 20 x 12 pixels upright, its annotation says 24 x 10: annotate this very photo, or restore the annotated one.'),
    BadInput('a turned photo', read_image(width=12, height=20), 'zoo/photos/1.png has 20 x 12 pixels upright, its annotation says 12 x 20: annotate this very photo, or restore the annotated one.'),
    BadInput('an annotation without image_id', annotation(image_id=None), 'zoo/a.json: annotation 1 has no image_id, or none that is a number or text: add the id of its photo.'),
    BadInput('an annotation of a photo that is not listed', annotation(image_id=77), 'zoo/a.json annotates the photo 77 (1 in all), which its list of images lacks: fix the file.'),
    BadInput('an image_id in a list', annotation(image_id=[139]), 'zoo/a.json: annotation 1 has no image_id, or none that is a number or text: add the id of its photo.'),
    BadInput('an annotation without category_id', annotation(category_id=None), 'zoo/a.json: annotation 1 has no category_id, or none that is a number or text: add it.'),
    BadInput('an unknown category_id', annotation(category_id=99), 'zoo/a.json: annotation 1 has the category_id 99, which the list of categories lacks: fix it, or add it to 7 train, 18 dog.'),
    BadInput('a category name as category_id', annotation(category_id='dog'), 'zoo/a.json: annotation 1 has the category_id dog, which the list of categories lacks: fix it, or add it to 7 train, 18 dog.'),
    BadInput('iscrowd 2', annotation(iscrowd=2), 'zoo/a.json: annotation 1 has an iscrowd or ignore that is neither 0 nor 1: write 1 for a group of objects, or one that does not count, 0 for the others.'),
    BadInput('iscrowd as the text true', annotation(iscrowd='true'), 'zoo/a.json: annotation 1 has an iscrowd or ignore that is neither 0 nor 1: write 1 for a group of objects, or one that does not count, 0 for the others.'),
    BadInput('an annotation without id', annotation(id=None, category_id=99), 'zoo/a.json: annotation number 1 has the category_id 99, which the list of categories lacks: fix it, or add it to 7 train, 18 dog.'),
    BadInput('a bbox of 3 numbers', annotation(bbox=[2, 1, 10]), 'zoo/a.json: annotation 1 has a bbox that is not 4 numbers ([2, 1, 10]): write bbox as [x, y, width, height] in pixels.'),
    BadInput('a bbox with a text', annotation(bbox=[2, 1, 10, 'x']), "zoo/a.json: annotation 1 has a bbox that is not 4 numbers ([2, 1, 10, 'x']): write bbox as [x, y, width, height] in pixels."),
    BadInput('a bbox with NaN', annotation(bbox=[2, 1, 10, float('nan')]), 'zoo/a.json: annotation 1 has a bbox that is not 4 numbers ([2, 1, 10, nan]): write bbox as [x, y, width, height] in pixels.'),
    BadInput('a bbox with infinity', annotation(bbox=[2, 1, float('inf'), 10]), 'zoo/a.json: annotation 1 has a bbox that is not 4 numbers ([2, 1, inf, 10]): write bbox as [x, y, width, height] in pixels.'),
    BadInput('a bbox with a number of 400 digits', annotation(bbox=[2, 1, 10**400, 10]), 'zoo/a.json: annotation 1 has a bbox that is not 4 numbers ([2, 1, 10000000000000000000000000000000000000000000000000000): write bbox as [x, y, width, height] in pixels.'),
    BadInput('a bbox as a dict', annotation(bbox={'x': 2, 'y': 1, 'w': 10, 'h': 10}), "zoo/a.json: annotation 1 has a bbox that is not 4 numbers ({'x': 2, 'y': 1, 'w': 10, 'h': 10}): write bbox as [x, y, width, height] in pixels."),
    BadInput('a bbox as a text', annotation(bbox='2 1 10 10'), 'zoo/a.json: annotation 1 has a bbox that is not 4 numbers (2 1 10 10): write bbox as [x, y, width, height] in pixels.'),
    BadInput('a bbox of negative width', annotation(bbox=[12, 1, -10, 10]), 'zoo/a.json: annotation 1 has a bbox of negative size ([12, 1, -10, 10]): write bbox as [x, y, width, height] in pixels.'),
    BadInput('a bbox without area and no mask', annotation(bbox=[2, 1, 10, 0], segmentation=None), 'zoo/a.json: annotation 1 has a bbox without area ([2, 1, 10, 0]): add its bbox, or remove the annotation.'),
    BadInput('a bbox beyond the photo', annotation(bbox=[2, 1, 30, 10]), 'zoo/a.json: annotation 1 has a bbox [2, 1, 30, 10] beyond its photo of 20 x 12 pixels: clip it, and write bbox as [x, y, width, height] in pixels.'),
    BadInput('a bbox outside the photo', annotation(bbox=[100, 100, 5, 5]), 'zoo/a.json: annotation 1 has a bbox [100, 100, 5, 5] beyond its photo of 20 x 12 pixels: clip it, and write bbox as [x, y, width, height] in pixels.'),
    BadInput('a bbox left of the photo', annotation(bbox=[-9, 1, 10, 10]), 'zoo/a.json: annotation 1 has a bbox [-9, 1, 10, 10] beyond its photo of 20 x 12 pixels: clip it, and write bbox as [x, y, width, height] in pixels.'),
    BadInput('corners instead of a size', annotation(bbox=[8, 1, 18, 11], segmentation=[[8, 1, 18, 1, 18, 11]]), 'zoo/a.json has boxes x1, y1, x2, y2, as its polygons show: write bbox as [x, y, width, height] in pixels.'),
    BadInput('boxes as fractions of the photo', annotation(bbox=[0.1, 0.1, 0.5, 0.8], segmentation=None), 'zoo/a.json has boxes in fractions of 1: multiply them by the width and height.'),
    BadInput('neither bbox nor mask', annotation(bbox=None, segmentation=None), 'zoo/a.json: annotation 1 has neither a bbox nor a mask: add its bbox, or remove the annotation.'),
    BadInput('a polygon of 2 points', annotation(segmentation=[[2, 1, 12, 11]]), 'zoo/a.json: annotation 1 has a polygon of fewer than 3 points: write segmentation as [[x1, y1, x2, y2, x3, y3, ...], ...].'),
    BadInput('an empty polygon beside another', annotation(segmentation=[[2, 1, 12, 1, 12, 11], []]), 'zoo/a.json: annotation 1 has a polygon of fewer than 3 points: write segmentation as [[x1, y1, x2, y2, x3, y3, ...], ...].'),
    BadInput('a polygon of 7 coordinates', annotation(segmentation=[[2, 1, 12, 1, 12, 11, 2]]), 'zoo/a.json: annotation 1 has a polygon of an odd number of coordinates: write segmentation as [[x1, y1, x2, y2, x3, y3, ...], ...].'),
    BadInput('a polygon with NaN', annotation(segmentation=[[2, 1, 12, 1, 12, float('nan')]]), 'zoo/a.json: annotation 1 has a polygon with a coordinate that is no number: write segmentation as [[x1, y1, x2, y2, x3, y3, ...], ...].'),
    BadInput('a polygon with infinity', annotation(segmentation=[[2, 1, 12, 1, 12, float('inf')]]), 'zoo/a.json: annotation 1 has a polygon with a coordinate that is no number: write segmentation as [[x1, y1, x2, y2, x3, y3, ...], ...].'),
    BadInput('a polygon with 1e12', annotation(segmentation=[[2, 1, 12, 1, 1e12, 11]]), 'zoo/a.json: annotation 1 has a polygon beyond its photo of 20 x 12 pixels: clip it.'),
    BadInput('a polygon beyond the photo', annotation(segmentation=[[2, 1, 32, 1, 32, 11]]), 'zoo/a.json: annotation 1 has a polygon beyond its photo of 20 x 12 pixels: clip it.'),
    BadInput('a polygon with texts', annotation(segmentation=[['2', '1', '12', '1', '12', '11']]), 'zoo/a.json: annotation 1 has a polygon with a coordinate that is no number: write segmentation as [[x1, y1, x2, y2, x3, y3, ...], ...].'),
    BadInput('a polygon that is not in a list', annotation(segmentation=[2, 1, 12, 1, 12, 11]), 'zoo/a.json: annotation 1 has a segmentation that is no list of polygons: write segmentation as [[x1, y1, x2, y2, x3, y3, ...], ...].'),
    BadInput('a polygon of pairs', annotation(segmentation=[[[2, 1], [12, 1], [12, 11]]]), 'zoo/a.json: annotation 1 has a polygon with a coordinate that is no number: write segmentation as [[x1, y1, x2, y2, x3, y3, ...], ...].'),
    BadInput('a polygon without area', annotation(segmentation=[[2, 1, 12, 1, 7, 1]]), 'zoo/a.json: annotation 1 has polygons without area: draw its mask anew, or remove the annotation.'),
    BadInput('polygons as fractions of the photo', annotation(bbox=None, segmentation=[[.1, .1, .6, .1, .6, .9]]), 'zoo/a.json has polygons in fractions of 1: multiply them by the width and height.'),
    BadInput('a mask as a text', annotation(segmentation='2 1 12 1 12 11'), 'zoo/a.json: annotation 1 has a segmentation that is neither polygons nor run lengths: write segmentation as [[x1, y1, x2, y2, x3, y3, ...], ...].'),
    BadInput('a mask as a number', annotation(segmentation=7), 'zoo/a.json: annotation 1 has a segmentation that is neither polygons nor run lengths: write segmentation as [[x1, y1, x2, y2, x3, y3, ...], ...].'),
    BadInput('run lengths of another size', runs([240], size=[20, 12]), 'zoo/a.json: annotation 1 has a mask of 12 x 20 pixels, its photo has 20 x 12: encode the mask again at the size of the photo.'),
    BadInput('run lengths without a size', runs([240], size=None), 'zoo/a.json: annotation 1 has a mask without its size [height, width]: encode the mask again at the size of the photo.'),
    BadInput('run lengths with a text as size', runs([120, 120], size=['12', '20']), 'zoo/a.json: annotation 1 has a mask without its size [height, width]: encode the mask again at the size of the photo.'),
    BadInput('run lengths that end too early', runs([100, 20]), 'zoo/a.json: annotation 1 has run lengths of 120 pixels, its mask has 240: encode the mask again at the size of the photo.'),
    BadInput('run lengths that are too long', runs([100, 2000]), 'zoo/a.json: annotation 1 has run lengths of 2100 pixels, its mask has 240: encode the mask again at the size of the photo.'),
    BadInput('a run of negative length', runs([300, -60]), 'zoo/a.json: annotation 1 has damaged run lengths: encode the mask again at the size of the photo.'),
    BadInput('a run of half a pixel', runs([119.5, 120.5]), 'zoo/a.json: annotation 1 has damaged run lengths: encode the mask again at the size of the photo.'),
    BadInput('a run that is null', runs([120, None]), 'zoo/a.json: annotation 1 has damaged run lengths: encode the mask again at the size of the photo.'),
    BadInput('no runs', runs([]), 'zoo/a.json: annotation 1 has damaged run lengths: encode the mask again at the size of the photo.'),
    BadInput('no counts', runs(None), 'zoo/a.json: annotation 1 has damaged run lengths: encode the mask again at the size of the photo.'),
    BadInput('run lengths without an object pixel', runs([240]), 'zoo/a.json: annotation 1 has a mask without a single pixel: encode the mask again at the size of the photo.'),
    BadInput('compressed run lengths that end too early', runs('T3'), 'zoo/a.json: annotation 1 has run lengths of 100 pixels, its mask has 240: encode the mask again at the size of the photo.'),
    BadInput('compressed run lengths that are too long', runs('T3h>'), 'zoo/a.json: annotation 1 has run lengths of 572 pixels, its mask has 240: encode the mask again at the size of the photo.'),
    BadInput('compressed run lengths that end within a number', runs('T3l'), 'zoo/a.json: annotation 1 has damaged run lengths: encode the mask again at the size of the photo.'),
    BadInput('compressed run lengths with a wrong character', runs('T3 l3'), 'zoo/a.json: annotation 1 has damaged run lengths: encode the mask again at the size of the photo.'),
    BadInput('compressed run lengths that are not ASCII', runs('T3ü'), 'zoo/a.json: annotation 1 has damaged run lengths: encode the mask again at the size of the photo.'),
    BadInput('compressed run lengths of a number without end', runs('T' * 60), 'zoo/a.json: annotation 1 has damaged run lengths: encode the mask again at the size of the photo.'),
    BadInput('a checkpoint that lacks a class of the test data', of_checkpoint(['train', 'cat']), "zoo/a.json has other classes than epoch_7.pth: it lacks 'cat', it adds 'dog'; name them alike, or set those of the model by the data set's metainfo=dict(classes=[...])."),
    BadInput('a checkpoint whose class has a capital', of_checkpoint(['train', 'Dog']), "zoo/a.json has other classes than epoch_7.pth: it lacks 'Dog' (perhaps 'dog'), it adds 'dog'; name them alike, or set those of the model by the data set's metainfo=dict(classes=[...])."),
    BadInput('a checkpoint whose class has a blank', of_checkpoint(['train', ' dog']), "zoo/a.json has other classes than epoch_7.pth: it lacks ' dog' (perhaps 'dog'), it adds 'dog'; name them alike, or set those of the model by the data set's metainfo=dict(classes=[...])."),
    BadInput('a checkpoint of fewer classes', of_checkpoint(['dog']), "zoo/a.json has other classes than epoch_7.pth: it adds 'train'; name them alike, or set those of the model by the data set's metainfo=dict(classes=[...])."),
    BadInput('a checkpoint of mmdet 2 with other classes', of_checkpoint(['dog', 'cat'], key='CLASSES'), "zoo/a.json has other classes than epoch_7.pth: it lacks 'cat', it adds 'train'; name them alike, or set those of the model by the data set's metainfo=dict(classes=[...])."),
    BadInput('a checkpoint of more classes than a config chooses', of_checkpoint(['dog', 'train'], metainfo={'classes': ['dog']}), "zoo/a.json has other classes than epoch_7.pth: it lacks 'train'; name them alike, or set those of the model by the data set's metainfo=dict(classes=[...])."),
    BadInput('a checkpoint with a class twice', of_checkpoint(['dog', 'dog']), 'epoch_7.pth holds no list of different classes: take another checkpoint.'),
    BadInput('a checkpoint with numbers as classes', of_checkpoint([1, 2]), 'epoch_7.pth holds no list of different classes: take another checkpoint.'),
    BadInput('a checkpoint with a text as classes', of_checkpoint('dog'), 'epoch_7.pth holds no list of different classes: take another checkpoint.'),
    BadInput('a config with a class twice', of_checkpoint(['dog', 'train'], metainfo={'classes': ['dog', 'dog']}), "metainfo.classes of zoo/a.json is ['dog', 'dog']: write a list that names each class once."),
    BadInput('a config with a text as classes', of_checkpoint(['dog', 'train'], metainfo={'classes': 'dog'}), "metainfo.classes of zoo/a.json is 'dog': write a list that names each class once."),
    BadInput('a config with a class that the file lacks', of_checkpoint(['dog', 'train'], metainfo={'classes': ['dog', 'Train']}), "zoo/a.json has no class 'Train': choose from train, dog."),
    BadInput('validation data of other classes', of_training({'categories': [{'id': 18, 'name': 'dog'}, {'id': 7, 'name': 'cat'}]}), "zoo/b.json has other classes than the training data: it lacks 'train', it adds 'cat'; name them alike, or set those of the model by the data set's metainfo=dict(classes=[...])."),
    BadInput('validation data with a class more', of_training({'categories': [*CONTENT['categories'], {'id': 8, 'name': 'cat'}]}), "zoo/b.json has other classes than the training data: it adds 'cat'; name them alike, or set those of the model by the data set's metainfo=dict(classes=[...])."),
    BadInput('a run that is resumed with other classes', of_training({}, classes=['dog', 'cat'], resume=True, load_from='epoch_7.pth'), "The training data has other classes than the run of epoch_7.pth: it lacks 'cat', it adds 'train'; resume with its data, or train anew."),
    BadInput('a run that is resumed with fewer classes', of_training({}, classes=['dog', 'train', 'cat'], resume=True, load_from='epoch_7.pth'), "The training data has other classes than the run of epoch_7.pth: it lacks 'cat'; resume with its data, or train anew."),
    BadInput("mmdet's CocoDataset with classes in another order than the file", mmdet(('train', 'dog')), "zoo/a.json has other classes than metainfo says (its order is dog, train): CocoDataset would mix them up; give metainfo the file's classes in the file's order, or use COCOInstanceDataset."),
    BadInput("mmdet's CocoDataset with a class that the file lacks", mmdet(('dog', 'cat')), "zoo/a.json has other classes than metainfo says (it lacks 'cat'): CocoDataset would mix them up; give metainfo the file's classes in the file's order, or use COCOInstanceDataset."),
    BadInput('a box apart from its polygon', others(2, bbox=[14, 8, 4, 3], segmentation=[[0, 0, 5, 0, 5, 5]]), 'zoo/a.json: annotation 1 has a bbox [14, 8, 4, 3] apart from its mask: draw one of them anew.'),
    BadInput('a box apart from its run lengths', others(2, bbox=[0, 0, 4, 4], segmentation={'size': [12, 20], 'counts': [120, 120]}), 'zoo/a.json: annotation 1 has a bbox [0, 0, 4, 4] apart from its mask: draw one of them anew.'),
    BadInput('boxes of another photo than the polygons', annotation(bbox=[14, 8, 4, 3]), 'zoo/a.json has boxes that do not fit their masks (1 of 1, such as [14.0, 8.0, 4.0, 3.0] for a mask from [2.0, 1.0] to [12.0, 11.0]): write bbox as [x, y, width, height] in pixels, around the mask.'),
    BadInput('boxes x, y of the centre, width, height', annotation(bbox=[7, 6, 10, 6]), 'zoo/a.json has boxes that do not fit their masks (1 of 1, such as [7.0, 6.0, 10.0, 6.0] for a mask from [2.0, 1.0] to [12.0, 11.0]): write bbox as [x, y, width, height] in pixels, around the mask.'),
    BadInput('polygons of a larger photo than the boxes', annotation(bbox=[1, 0.5, 5, 5]), 'zoo/a.json has boxes that do not fit their masks (1 of 1, such as [1.0, 0.5, 5.0, 5.0] for a mask from [2.0, 1.0] to [12.0, 11.0]): write bbox as [x, y, width, height] in pixels, around the mask.'),
    BadInput('corners instead of a size, with run lengths', annotation(bbox=[10, 0, 20, 12], segmentation={'size': [12, 20], 'counts': [120, 120]}), 'zoo/a.json has boxes x1, y1, x2, y2, as its polygons show: write bbox as [x, y, width, height] in pixels.'),
    BadInput('corners instead of a size, as the areas show', annotation(bbox=[2, 1, 12, 11], segmentation=None, area=100), 'zoo/a.json has boxes x1, y1, x2, y2, as their areas show: write bbox as [x, y, width, height] in pixels.'),
    BadInput('ignore 2', annotation(ignore=2), 'zoo/a.json: annotation 1 has an iscrowd or ignore that is neither 0 nor 1: write 1 for a group of objects, or one that does not count, 0 for the others.'),
    BadInput('a file of captions', put('annotations', [{'id': 1, 'image_id': 139, 'caption': 'a dog'}]), 'zoo/a.json holds captions: take a file of instances, such as instances_train2017.json.'),
    BadInput('a file of panoptic segments', put('annotations', [{'image_id': 139, 'file_name': '1.png', 'segments_info': []}]), 'zoo/a.json holds panoptic segments: take a file of instances, such as instances_train2017.json.'),
    BadInput('an address as file name', image(file_name='https://example.com/2.png'), 'zoo/a.json names the photo https://example.com/2.png, which is an address: download the photos, and name their files.'),
    BadInput('no ann_file', settings(ann_file=None), 'COCOInstanceDataset has ann_file=None: set it to the JSON file of annotations in zoo, such as annotations/instances_train2017.json.'),
    BadInput('an empty ann_file', settings(ann_file=''), "COCOInstanceDataset has ann_file='': set it to the JSON file of annotations in zoo, such as annotations/instances_train2017.json."),
    BadInput('a data_prefix without img', settings(data_prefix={'img_path': 'photos'}), "The data set of zoo/a.json has data_prefix={'img_path': 'photos'}: write data_prefix=dict(img='...') with the folder of the photos below data_root."),
    BadInput('a data_prefix with a key beside img', settings(data_prefix={'img': 'photos', 'seg': 'masks'}), "The data set of zoo/a.json has data_prefix={'img': 'photos', 'seg': 'masks'}: write data_prefix=dict(img='...') with the folder of the photos below data_root."),
    BadInput('a data_prefix of None', settings(data_prefix={'img': None}), "The data set of zoo/a.json has data_prefix={'img': None}: write data_prefix=dict(img='...') with the folder of the photos below data_root."),
    BadInput('a list as data_prefix', settings(data_prefix=['photos']), "The data set of zoo/a.json has data_prefix=['photos']: write data_prefix=dict(img='...') with the folder of the photos below data_root."),
    BadInput('indices of no photo', settings(indices=0), 'indices=0 chooses no photo of zoo, which has 2: give the number of its first photos, or a list of numbers from 0, or leave it out.'),
    BadInput('an empty list of indices', settings(indices=[]), 'indices=[] chooses no photo of zoo, which has 2: give the number of its first photos, or a list of numbers from 0, or leave it out.'),
    BadInput('a filter of photos without annotations', settings(filter_cfg={'filter_empty_gt': True}), "COCOInstanceDataset keeps every photo and knows no filter_cfg ({'filter_empty_gt': True}): leave it out, or name photos in a skip list."),
    BadInput("metainfo with mmdet 2's CLASSES", settings(metainfo={'CLASSES': ('dog',)}), "metainfo of zoo/a.json has 'CLASSES', which nothing reads: write 'classes' instead."),
    BadInput("metainfo with mmdet 2's PALETTE", settings(metainfo={'PALETTE': [(0, 0, 0)]}), "metainfo of zoo/a.json has 'PALETTE', which nothing reads: write 'palette' instead."),
    BadInput('metainfo with class', settings(metainfo={'class': ('dog',)}), "metainfo of zoo/a.json has 'class', which nothing reads: write 'classes' instead."),
    BadInput('a list as metainfo', settings(metainfo=['dog']), "metainfo of zoo/a.json is ['dog']: write dict(classes=[...])."),
    BadInput('metainfo with a number as classes', settings(metainfo={'classes': 2}), 'metainfo.classes of zoo/a.json is 2: write a list that names each class once.'),
    BadInput('metainfo with no class', settings(metainfo={'classes': []}), 'metainfo.classes of zoo/a.json is []: write a list that names each class once.'),
]
# fmt: on
