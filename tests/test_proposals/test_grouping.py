"""The fast search gives OpenCV's boxes, whatever the image."""

import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from mmlabelpenet.proposals import search_regions
from mmlabelpenet.proposals import selective_search as module
from mmlabelpenet.proposals.grouping import AmbiguousOrderError, Grouping, Regions

RNG = np.random.default_rng(0)


def blocks(height, width, side=12):
    img = RNG.integers(0, 256, (height, width, 3), np.uint8)
    return img.repeat(side, axis=0).repeat(side, axis=1)


def smooth(height, width):
    return cv2.resize(RNG.integers(0, 256, (9, 12, 3), np.uint8), (width, height))


def checkers():
    return np.kron(np.indices((8, 10)).sum(0) % 2 * 255, np.ones((12, 12)))[..., None]


IMAGES = {
    'one pixel': blocks(1, 1, 1),
    'one row': blocks(1, 9, 1),
    'one column': blocks(9, 1, 1),
    'few pixels': blocks(3, 5, 1),
    'noise': blocks(60, 80, 1),
    'blocks': blocks(8, 10),
    'smooth': smooth(110, 131),
    'upright': smooth(131, 79),
    'wide': smooth(62, 195),
    'high': smooth(200, 60),
    'grey': blocks(8, 10)[..., :1].repeat(3, axis=2),
    'white': np.full((50, 70, 3), 255, np.uint8),
    'checkers': checkers().repeat(3, axis=2).astype(np.uint8),
    'mirrored': np.concatenate([half := blocks(8, 5), half[:, ::-1]], axis=1),
}


@pytest.fixture
def opencv(monkeypatch):
    """Search by OpenCV alone."""

    def search(img):
        with monkeypatch.context() as patch:
            patch.setattr(module, 'ROUNDS_AS_OPENCV', False)
            return search_regions(img)

    return search


@pytest.mark.parametrize('name', IMAGES)
def test_the_boxes_are_those_of_opencv(opencv, name):
    img = np.ascontiguousarray(IMAGES[name])
    np.testing.assert_array_equal(search_regions(img), opencv(img))


@pytest.mark.skipif('VOC12MINI_ROOT' not in os.environ, reason='VOC12MINI_ROOT is not set')
def test_the_boxes_of_photos_are_those_of_opencv(opencv):
    photos = sorted(Path(os.environ['VOC12MINI_ROOT']).rglob('JPEGImages/*.jpg'))[::400]
    assert len(photos) > 2
    for photo in photos:
        img = cv2.imread(str(photo))
        np.testing.assert_array_equal(search_regions(img), opencv(img), err_msg=str(photo))


@pytest.mark.skipif(not module.ROUNDS_AS_OPENCV, reason='OpenCV may round in another way here')
def test_only_ties_are_left_to_opencv(monkeypatch):
    asked, group = [], module._group_by_opencv
    monkeypatch.setattr(module, '_group_by_opencv', lambda *args: asked.append(1) or group(*args))
    search_regions(IMAGES['smooth'])
    assert not asked
    search_regions(IMAGES['checkers'])
    assert asked


def row_of_regions(textures):
    """Regions of 10 x 10 pixels side by side, each with its share of the first of two bins."""
    count = len(textures)
    share = np.array(textures, np.float32)
    left = 10 * np.arange(count)
    return Regions(
        color=np.ones((count, 1), np.float32),
        texture=np.stack([share, 1 - share], axis=1),
        sizes=np.full(count, 100),
        boxes=np.stack([left, 0 * left, left + 10, 0 * left + 10], axis=1),
        pairs=np.stack([np.arange(count - 1), np.arange(1, count)]),
        area=100 * count,
    )


@pytest.mark.parametrize('by_color', [True, False])
def test_equal_similarities_apart_from_each_other_need_no_order(by_color):
    # 0 and 1 are as similar as 3 and 4, and less similar to 2
    boxes = Grouping(row_of_regions([0, 0, 0.25, 1, 1]), by_color).boxes_of_all()
    found = {tuple(box) for box in boxes[:, [0, 2]].tolist()}
    assert {(0, 20), (30, 50), (0, 50)} <= found
    assert len(boxes) == 9


def test_equal_similarities_of_one_region_are_ambiguous():
    with pytest.raises(AmbiguousOrderError):
        Grouping(row_of_regions([0.5, 0.5, 0.5]), True).boxes_of_all()


def test_a_merged_region_more_similar_than_another_tied_pair_is_ambiguous():
    # 0 and 1 tie with 2 and 3, and are together more similar to 2 than these
    regions = row_of_regions([0.125, 0.5, 0, 0.375])
    regions.area = 10**6
    with pytest.raises(AmbiguousOrderError):
        Grouping(regions, by_color=False).boxes_of_all()
    regions.pairs = regions.pairs[:, [0, 2]]
    assert len(Grouping(regions, by_color=False).boxes_of_all()) == 6


def test_regions_that_touch_nothing_stay():
    regions = row_of_regions([0.2, 0.4, 0.6])
    regions.pairs = np.zeros((2, 0), dtype=np.int64)
    np.testing.assert_array_equal(Grouping(regions, True).boxes_of_all(), regions.boxes)
