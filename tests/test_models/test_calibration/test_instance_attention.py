import pytest
import torch

from mmlabelpenet.models.calibration import connected_to_peak, instance_attention
from mmlabelpenet.structures import Maps


def test_the_larger_attention_wins_an_overlapped_cell():
    attention = torch.zeros(2, 1, 5)
    attention[0, 0] = torch.tensor([1.0, 0.8, 0.6, 0.2, 0.0])
    attention[1, 0] = torch.tensor([0.0, 0.4, 0.7, 0.8, 1.0])
    bboxes = torch.tensor([[0.0, 0, 4, 1], [1.0, 0, 5, 1]])
    maps = instance_attention(Maps(attention, 1), bboxes, torch.tensor([0, 1]), dilation=1.0)
    torch.testing.assert_close(maps.values[0, 0], torch.tensor([1.0, 0.8, 0, 0, 0]))
    torch.testing.assert_close(maps.values[1, 0], torch.tensor([0, 0, 0.7, 0.8, 1.0]))


@pytest.mark.parametrize('stride', [1, 8])
def test_attention_is_read_within_the_dilated_box_and_divided_by_its_maximum(stride):
    attention = Maps(torch.tensor([[[1.0, 0.5, 0.4, 0.3, 0.2]]]), stride)
    box, label = torch.tensor([[2.0, 0, 3, 1]]) * stride, torch.tensor([0])
    maps = instance_attention(attention, box, label, dilation=1.0)
    assert maps.stride == stride
    torch.testing.assert_close(maps.values[0, 0], torch.tensor([0, 0, 1.0, 0, 0]))
    maps = instance_attention(attention, box, label, dilation=3.0)
    torch.testing.assert_close(maps.values[0, 0], torch.tensor([0, 1.0, 0.8, 0.6, 0]))


def test_no_instances_have_no_attention():
    attention = Maps(torch.rand(2, 3, 4), 1)
    maps = instance_attention(attention, torch.zeros(0, 4), torch.zeros(0).long())
    assert maps.values.shape == (0, 3, 4)


def test_only_the_component_of_the_peak_is_kept():
    maps = torch.zeros(2, 5, 7)
    maps[0, 1, 1:4] = 0.6
    maps[0, 1, 2] = 1.0
    maps[0, 4, 6] = 0.9  # another component, above the threshold
    maps[1, 0, 0] = 0.2  # lower values, another map: relative to its own peak
    maps[1, 1, 1] = 0.12  # touches at a corner
    found = connected_to_peak(maps, 0.5)
    assert found[0].nonzero().tolist() == [[1, 1], [1, 2], [1, 3]]
    assert found[1].nonzero().tolist() == [[0, 0], [1, 1]]


def test_a_hooked_component_is_followed_and_empty_maps_stay_empty():
    hook = torch.zeros(1, 5, 5)
    hook[0, 0, :3] = hook[0, 2, :3] = hook[0, :3, 2] = 0.8
    hook[0, 0, 0] = 1.0
    assert connected_to_peak(hook, 0.5).equal(hook > 0)
    assert not connected_to_peak(torch.zeros(1, 3, 3), 0.5).any()
    assert connected_to_peak(torch.zeros(0, 3, 3), 0.5).shape == (0, 3, 3)


def test_a_flood_reaches_the_end_of_a_long_corridor():
    # one cell a step, while the other map no longer grows
    maps = torch.zeros(2, 3, 40)
    maps[0, 1, :] = 0.6
    maps[0, 1, 0] = 1.0
    maps[1, 0, 0] = 1.0
    component = connected_to_peak(maps, 0.5)
    assert component[0].equal(maps[0] >= 0.5)
    assert component[1].sum() == 1
