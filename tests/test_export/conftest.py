import cv2
import numpy as np
import pytest
from pycocotools import mask as mask_api

from mmlabelpenet.export import LabelledImage

CLASSES = ('dog', 'chair', 'cat')


def encode(mask):
    return mask_api.encode(np.asfortranarray(mask.astype(np.uint8)))


def decode(rle):
    return mask_api.decode(rle).astype(bool)


def iou(mask, other):
    return (mask & other).sum() / (mask | other).sum()


def ring(size, centre, outer, inner):
    """A disc with a hole: [H, W] bool."""
    rows, columns = np.indices(size)
    distance = np.hypot(rows - centre[1], columns - centre[0])
    return (distance <= outer) & (distance >= inner)


def box_of(mask):
    """Tight xyxy, x2 and y2 exclusive."""
    rows, columns = np.nonzero(mask)
    return [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]


def labelled(path, labels, scores, masks, tags=None, **fields):
    """An image's record of instances with masks."""
    height, width = masks[0].shape if len(masks) else (30, 40)
    return LabelledImage(
        img_id=path.stem,
        img_path=str(path),
        dataset_name='Photos',
        size=(height, width),
        labels=np.array(labels, dtype=int),
        scores=np.array(scores, dtype=np.float32),
        boxes=np.array([box_of(mask) for mask in masks], dtype=np.float32).reshape(-1, 4),
        masks=[encode(mask) for mask in masks],
        tags=tags,
        **fields,
    )


@pytest.fixture
def write_image(tmp_path):
    """Write an image of noise; returns its path."""

    def write(name, size=(30, 40), seed=0):
        path = tmp_path / 'photos' / name
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)
        cv2.imwrite(str(path), pixels)
        return path

    return write


@pytest.fixture
def images(write_image):
    """Two images: a ring that covers a part of a square, a chair in two parts; and none."""
    square = np.zeros((30, 40), dtype=bool)
    square[5:25, 2:20] = True
    parts = np.zeros((30, 40), dtype=bool)
    parts[3:9, 25:30] = True
    parts[15:28, 28:38] = True
    hole = ring((30, 40), (16, 14), 9, 4)
    return [
        labelled(write_image('a.jpg'), [1, 0, 1], [0.9, 0.8, 0.7], [hole, square, parts], [0, 1]),
        labelled(write_image('b.jpg', seed=1), [], [], [], [2]),
    ]
