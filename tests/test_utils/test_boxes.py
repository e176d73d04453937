import numpy as np
import pytest

from mmlabelpenet.utils import box_areas, box_intersections, box_iou


def test_iou_of_hand_computed_boxes():
    boxes = np.array([[0, 0, 10, 10], [0, 0, 5, 10]])
    others = np.array([[0, 0, 10, 10], [5, 0, 10, 10], [10, 0, 20, 10]])
    expected = [[1, 0.5, 0], [0.5, 0, 0]]
    np.testing.assert_allclose(box_iou(boxes, others), expected)


@pytest.mark.parametrize('dtype', [np.float32, np.float64])
def test_iou_of_int16_boxes_does_not_overflow(dtype):
    boxes = np.array([[0, 0, 500, 375]], dtype=np.int16)
    iou = box_iou(boxes, boxes, dtype=dtype)
    assert iou.dtype == dtype
    np.testing.assert_allclose(iou, [[1]])


def test_iou_of_empty_boxes_is_zero():
    assert box_iou(np.zeros((1, 4)), np.zeros((1, 4))) == 0
    assert box_iou(np.zeros((0, 4)), np.zeros((3, 4))).shape == (0, 3)


def test_inclusive_boxes_contain_their_last_pixel():
    boxes, others = np.array([[0, 0, 9, 9]]), np.array([[9, 9, 10, 10], [10, 0, 19, 9]])
    assert box_areas(boxes).tolist() == [81]
    assert box_areas(boxes, inclusive=True).tolist() == [100]
    assert box_intersections(boxes, others).tolist() == [[0, 0]]
    assert box_intersections(boxes, others, inclusive=True).tolist() == [[1, 0]]


def test_a_box_that_ends_before_it_begins_has_no_area():
    boxes = np.array([[5.0, 5, 2, 2], [5, 5, 2, 8]])
    assert box_areas(boxes).tolist() == [0, 0]
    assert box_iou(boxes, np.array([[0.0, 0, 10, 10]])).tolist() == [[0], [0]]


def test_overlap_equals_the_same_arithmetic_box_by_box():
    """In float32 and float64, bit by bit: thresholds such as IoU >= .5 depend on it."""
    rng = np.random.default_rng(0)
    start = rng.uniform(0, 50, (40, 2))
    every = np.concatenate([start, start + rng.uniform(0, 40, (40, 2))], axis=1)
    for dtype in (np.float32, np.float64):
        boxes = every.astype(dtype)
        iou = box_iou(boxes, boxes, dtype=dtype)
        for row, one in enumerate(boxes):
            for column, other in enumerate(boxes):
                low, high = np.maximum(one[:2], other[:2]), np.minimum(one[2:], other[2:])
                common = (high - low).clip(0).prod()
                areas = [(box[2:] - box[:2]).prod() for box in (one, other)]
                assert iou[row, column] == common / (areas[0] + areas[1] - common)
