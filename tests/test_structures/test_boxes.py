import pytest
import torch
from mmdet.models.task_modules.coders import DeltaXYWHBBoxCoder
from mmdet.structures.bbox import bbox_overlaps

from mmlabelpenet.structures.boxes import (
    box_iou,
    clip_boxes,
    decode_boxes,
    encode_boxes,
    paired_iou,
    shrink_boxes,
    stretch_boxes,
)
from mmlabelpenet.structures.selecting import kept_indices

SHAPE = (60, 90)
CODER = DeltaXYWHBBoxCoder(target_stds=(0.1, 0.1, 0.2, 0.2))


def boxes(count, seed):
    generator = torch.Generator().manual_seed(seed)
    near = torch.rand(count, 2, generator=generator) * 80
    return torch.cat([near, near + torch.rand(count, 2, generator=generator) * 40], dim=1)


@pytest.mark.parametrize('seed', range(3))
def test_overlaps_are_those_of_mmdet_to_the_bit(seed):
    first, second = boxes(20, seed), boxes(7, seed + 10)
    second[0, 2:] = second[0, :2]  # without area
    assert box_iou(first, second).equal(bbox_overlaps(first, second))
    assert paired_iou(first[:7], second).equal(bbox_overlaps(first[:7], second, is_aligned=True))
    assert box_iou(first[:0], second).shape == (0, 7)


@pytest.mark.parametrize('seed', range(3))
def test_deltas_are_those_of_mmdet(seed):
    regions, targets = boxes(20, seed), boxes(20, seed + 10)
    assert encode_boxes(regions, targets).allclose(CODER.encode(regions, targets))
    # some of them so large that the sides are limited
    deltas = torch.randn(20, 4, generator=torch.Generator().manual_seed(seed)) * 30
    expected = CODER.decode(regions, deltas, max_shape=SHAPE)
    assert decode_boxes(regions, deltas, SHAPE).allclose(expected, atol=1e-4)


def test_decoding_inverts_encoding_and_ends_at_the_image():
    regions, targets = boxes(20, 0), clip_boxes(boxes(20, 1), SHAPE)
    decoded = decode_boxes(regions, encode_boxes(regions, targets), SHAPE)
    has_area = (targets[:, 2:] > targets[:, :2]).all(1)
    assert decoded[has_area].allclose(targets[has_area], atol=1e-3)
    assert (targets[:, [0, 2]] <= 90).all()
    assert (targets[:, [1, 3]] <= 60).all()


def test_factors_are_of_x_and_of_y():
    box = torch.tensor([[1.0, 2, 3, 4]])
    assert stretch_boxes(box, (2, 10)).tolist() == [[2, 20, 6, 40]]
    assert shrink_boxes(stretch_boxes(box, (2, 10)), (2, 10)).equal(box)


def test_kept_places_are_those_of_each_condition():
    conditions = [
        torch.tensor([True, False, True]),
        torch.zeros(0, dtype=torch.bool),
        torch.tensor([[False, True], [True, True]]),
        torch.tensor([False]),
    ]
    kept = kept_indices(conditions)
    assert [one.tolist() for one in kept] == [[0, 2], [], [1, 2, 3], []]
    assert all(one.dtype == torch.long for one in kept)
    assert kept_indices([]) == []
