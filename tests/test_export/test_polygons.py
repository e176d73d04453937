import time

import cv2
import numpy as np
import pytest
from pycocotools import mask as mask_api

from mmlabelpenet.export import join_rings, mask_to_polygons
from mmlabelpenet.export.polygons import rle_to_polygons
from mmlabelpenet.testing import make_scene

from .conftest import decode, encode, iou, ring


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
    assert rle_to_polygons(encode(np.zeros((4, 4)))) == []


def test_run_lengths_have_the_outline_of_their_pixels():
    mask = ring((60, 70), (41, 33), 21, 9)
    for one, other in zip(mask_to_polygons(mask), rle_to_polygons(encode(mask)), strict=True):
        np.testing.assert_array_equal(one, other)


def shortest_bridge(ring, other):
    distance = ((ring[:, None] - other[None]) ** 2).sum(-1)
    here, there = divmod(int(distance.argmin()), len(other))
    return float(distance[here, there]), here, there


def join_slowly(rings):
    """Joins rings as the definition says, in cubic time."""
    joined, rest = rings[0], list(rings[1:])
    while rest:
        bridges = [shortest_bridge(joined, ring) for ring in rest]
        nearest = min(range(len(rest)), key=lambda index: bridges[index][0])
        _, here, there = bridges[nearest]
        ring = np.roll(rest.pop(nearest), -there, axis=0)
        joined = np.concatenate([joined[: here + 1], ring, ring[:1], joined[here:]])
    return joined


@pytest.mark.parametrize('seed', range(30))
def test_rings_are_joined_by_the_shortest_bridges(seed):
    rng = np.random.default_rng(seed)
    noise = rng.normal(size=rng.integers(3, 40, 2)).astype(np.float32)
    if seed % 3:
        noise = cv2.GaussianBlur(noise, (0, 0), 0.5 * (seed % 3))
    mask = noise > np.quantile(noise, [0.3, 0.5, 0.8][seed % 3])
    rings = mask_to_polygons(mask)
    np.testing.assert_array_equal(join_rings(rings), join_slowly(rings))


@pytest.mark.parametrize('step', [(0, 1), (1, 1), (1, 3)])
def test_rings_on_a_line_and_touching_ones_are_joined(step):
    points = np.arange(12)[:, None] * np.array(step, dtype=float)
    rings = [points[:3], points[8:10], points[2:5], points[5:8], points[9:]]
    np.testing.assert_array_equal(join_rings(rings), join_slowly(rings))
    twice = [points[:3], points[:3], points[1:2]]
    np.testing.assert_array_equal(join_rings(twice), join_slowly(twice))


def test_a_mask_of_thousands_of_specks_takes_seconds():
    rng = np.random.default_rng(0)
    mask = np.zeros((1000, 1200), dtype=bool)
    mask[rng.integers(0, 1000, 4000), rng.integers(0, 1200, 4000)] = True
    start = time.process_time()
    rings = mask_to_polygons(mask)
    joined = join_rings(rings)
    assert time.process_time() - start < 10
    assert len(rings) > 3000
    np.testing.assert_array_equal(raster([joined], mask.shape), mask)
