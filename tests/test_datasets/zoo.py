"""A small data set in COCO's format."""

import json

import numpy as np
from pycocotools import mask as mask_utils

from mmlabelpenet.datasets import COCOInstanceDataset

SQUARE = [[2, 1, 12, 1, 12, 11, 2, 11]]


def rle(rows, columns):
    mask = np.zeros((12, 20), np.uint8)
    mask[rows, columns] = 1
    return mask_utils.encode(np.asfortranarray(mask))


def crowd_counts():
    """The right half as uncompressed run lengths: by columns, background first."""
    return {'size': [12, 20], 'counts': [120, 120]}


def annotation(image, category, bbox, segmentation=None, **more):
    return {
        'image_id': image,
        'category_id': category,
        'bbox': bbox,
        'segmentation': segmentation,
        **more,
    }


CONTENT = {
    'categories': [{'id': 18, 'name': 'dog'}, {'id': 7, 'name': 'train'}],
    'images': [
        {'id': 139, 'file_name': '000139.png', 'width': 20, 'height': 12},
        {'id': 5, 'file_name': 'sub/5.png', 'width': 20, 'height': 12},
        {'id': 6, 'file_name': '6.png', 'width': 20, 'height': 12},
    ],
    'annotations': [
        annotation(139, 18, [2, 1, 10, 10], SQUARE),
        annotation(139, 18, [4, 3, 2, 3], {**rle(slice(3, 6), slice(4, 6)), 'counts': None}),
        annotation(139, 7, [10, 0, 10, 12], crowd_counts(), iscrowd=1),
        annotation(5, 7, [0, 0, 20.5, 12], [[0, 0, 20, 0, 20, 12, 0, 12]]),
        annotation(5, 7, [10, 0, 10, 12], crowd_counts(), iscrowd=1),
    ],
}
CONTENT['annotations'][1]['segmentation']['counts'] = rle(slice(3, 6), slice(4, 6))[
    'counts'
].decode()


def write(root, content):
    (root / 'a.json').write_text(json.dumps(content))


def load(root, **kwargs):
    return COCOInstanceDataset(
        data_root=str(root), ann_file='a.json', data_prefix={'img': 'photos'}, **kwargs
    )


def infos(dataset):
    return [dataset.get_data_info(index) for index in range(len(dataset))]


PIPELINE = [
    {'type': 'LoadImageFromFile'},
    {'type': 'LoadAnnotations', 'with_bbox': True},
    {'type': 'LoadInstanceMasks'},
    {'type': 'PackWeakInputs'},
]
