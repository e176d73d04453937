import cv2
import numpy as np
import pytest
from pycocotools import mask as mask_api

from mmlabelpenet.export import join_rings, mask_to_polygons
from mmlabelpenet.testing import make_scene

from .conftest import decode, iou, ring


def raster(polygons, size):
    """The mask that pycocotools makes of polygons."""
    return decode(
        mask_api.merge(mask_api.frPyObjects([one.ravel().tolist() for one in polygons], *size))
    )


def test_a_box_is_four_corners_an_eighth_of_a_pixel_inside():
    mask = np.zeros((8, 10), dtype=bool)
    mask[2:5, 3:9] = True
    (polygon,) = mask_to_polygons(mask)
    assert len(polygon) == 4
    np.testing.assert_allclose(polygon.min(axis=0), [3.125, 2.125])
    np.testing.assert_allclose(polygon.max(axis=0), [8.875, 4.875])


@pytest.mark.parametrize('seed', range(5))
def test_every_pixel_is_restored(seed):
    rng = np.random.default_rng(seed)
    noise = cv2.GaussianBlur(rng.normal(size=(40, 50)).astype(np.float32), (0, 0), 1.2) > 0.1
    polygons = mask_to_polygons(noise)
    np.testing.assert_array_equal(raster(polygons, noise.shape), noise)
    np.testing.assert_array_equal(raster([join_rings(polygons)], noise.shape), noise)


def test_generated_objects_are_restored():
    overlaps = []
    for index in range(6):
        scene = make_scene(0, 'train', index, (96, 128))
        for instance in range(1, len(scene.labels) + 1):
            mask = scene.instance_map == instance
            overlaps.append(iou(raster(mask_to_polygons(mask), mask.shape), mask))
    assert len(overlaps) > 8
    assert min(overlaps) > 0.99


def test_a_hole_stays_empty_in_one_polygon_in_opencv_too():
    mask = ring((60, 60), (30, 28), 25, 12)
    (polygon,) = mask_to_polygons(mask)
    np.testing.assert_array_equal(raster([polygon], mask.shape), mask)
    filled = np.zeros(mask.shape, np.uint8)
    cv2.fillPoly(filled, [np.floor(polygon).astype(np.int32)], 1)
    assert iou(filled.astype(bool), mask) > 0.97


def test_components_are_separate_polygons_the_largest_first():
    mask = np.zeros((20, 20), dtype=bool)
    mask[1:4, 1:4] = mask[8:18, 8:18] = True
    large, small = mask_to_polygons(mask)
    assert large.min() > 7
    assert small.max() < 4


def test_more_tolerance_needs_fewer_points_and_stays_close():
    mask = ring((80, 80), (40, 40), 35, 20)
    (exact,), (rough,) = mask_to_polygons(mask), mask_to_polygons(mask, tolerance=1.0)
    assert len(rough) < len(exact) / 3
    assert iou(raster([rough], mask.shape), mask) > 0.95


@pytest.mark.parametrize('size', [(1, 1), (1, 3), (5, 1)])
def test_the_smallest_masks_have_an_outline(size):
    mask = np.zeros((9, 9), dtype=bool)
    mask[4 : 4 + size[0], 2 : 2 + size[1]] = True
    np.testing.assert_array_equal(raster(mask_to_polygons(mask), mask.shape), mask)


def test_an_empty_mask_has_no_outline():
    assert mask_to_polygons(np.zeros((4, 4))) == []
