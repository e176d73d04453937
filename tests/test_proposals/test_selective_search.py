import subprocess
import sys

import cv2
import numpy as np
import pytest

from mmlabelpenet.proposals import (
    best_overlaps,
    make_proposals,
    search_regions,
    suppress_duplicates,
)
from mmlabelpenet.proposals.selective_search import MIN_SIZE, NMS_IOU, _search_bounded
from mmlabelpenet.utils import UserError, box_iou

SQUARE = np.array([[20, 30, 60, 70]])


def image(height=90, width=120):
    """A bright square on dark noise."""
    rng = np.random.default_rng(3)
    img = rng.integers(0, 40, (height, width, 3), dtype=np.uint8)
    img[30:70, 20:60] += 180
    return img


def test_the_object_is_among_the_proposals():
    assert best_overlaps(make_proposals(image()).bboxes, SQUARE) > 0.9


def test_same_image_same_boxes_in_the_same_order():
    first = search_regions(image())
    cv2.setRNGSeed(99)
    np.testing.assert_array_equal(first, search_regions(image()))


def test_boxes_lie_in_the_image_without_near_duplicates_by_falling_area():
    proposals = make_proposals(image())
    boxes = proposals.bboxes
    sides = boxes[:, 2:] - boxes[:, :2]
    assert len(proposals) > 3
    assert boxes.min() >= 0
    assert (boxes[:, 2:] <= (120, 90)).all()
    assert sides.min() >= MIN_SIZE
    assert (np.diff(sides.prod(axis=1)) <= 0).all()
    assert np.triu(box_iou(boxes, boxes, dtype=np.float32), 1).max() <= NMS_IOU


def test_max_num_keeps_the_largest():
    np.testing.assert_array_equal(
        make_proposals(image(), max_num=3).bboxes, make_proposals(image()).bboxes[:3]
    )


def test_a_large_image_is_searched_at_a_smaller_size():
    large = cv2.resize(image(), None, fx=5, fy=5, interpolation=cv2.INTER_NEAREST)
    proposals = make_proposals(large, max_side=120)
    assert (proposals.width, proposals.height) == (600, 450)
    assert best_overlaps(proposals.bboxes, SQUARE * 5) > 0.9
    assert proposals.bboxes[0].tolist() == [0, 0, 600, 450]


def test_both_sides_of_a_long_image_return_to_its_own_pixels():
    # 45 x 900 pixels are searched at 2 x 50: a pixel there is 18 wide, but 22.5 high.
    long = np.full((45, 900, 3), 20, dtype=np.uint8)
    assert _search_bounded(long, 'fast', 50).tolist() == [[0, 0, 900, 45]]
    assert _search_bounded(long.transpose(1, 0, 2), 'fast', 50).tolist() == [[0, 0, 45, 900]]


@pytest.mark.parametrize('shape', [(6, 8), (1, 1), (100, 100), (3, 200)])
def test_uniform_and_tiny_images_have_the_whole_as_only_proposal(shape):
    grey = np.full((*shape, 3), 128, dtype=np.uint8)
    assert make_proposals(grey).bboxes.tolist() == [[0, 0, shape[1], shape[0]]]


@pytest.mark.parametrize('quality', ['fast', 'quality'])
@pytest.mark.parametrize(
    'shape', [(1, 1), (3, 3), (1, 600), (600, 1), (12, 12), (5, 3000), (1, 3000)]
)
def test_images_of_any_shape_are_searched(shape, quality):
    noise = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    assert make_proposals(noise, quality).bboxes[0].tolist() == [0, 0, shape[1], shape[0]]


def test_suppression_keeps_the_earlier_of_two_that_overlap():
    boxes = np.array([[0, 0, 10, 10], [0, 0, 10, 9], [0, 0, 10, 5], [20, 0, 30, 10]])
    kept = suppress_duplicates(boxes, iou_thr=0.85)
    np.testing.assert_array_equal(kept, boxes[[0, 2, 3]])


def test_suppression_lets_only_kept_boxes_suppress():
    # IoU .8 of neighbours, .64 of the ends: the middle box is removed, so the last one stays.
    boxes = np.array([[0, 0, 100, 10], [0, 0, 80, 10], [0, 0, 64, 10]])
    np.testing.assert_array_equal(suppress_duplicates(boxes, iou_thr=0.7), boxes[[0, 2]])


def test_opencv_without_contrib_explains_what_to_install(monkeypatch):
    monkeypatch.delattr(cv2, 'ximgproc')
    with pytest.raises(UserError, match='opencv-contrib-python-headless'):
        search_regions(image())


def test_the_package_imports_without_contrib(tmp_path):
    script = 'import cv2; cv2.__dict__.pop("ximgproc"); import mmlabelpenet.registration'
    subprocess.run([sys.executable, '-W', 'ignore', '-c', script], cwd=tmp_path, check=True)


def test_unknown_quality_lists_the_known_ones():
    with pytest.raises(UserError, match='fast, quality'):
        search_regions(image(), 'best')
