import pytest
import torch

from mmlabelpenet.models import CAMAttention

from ..tiny import evidence_of


@pytest.fixture
def cam():
    return CAMAttention(2, in_channels=(1, 2), strides=(8, 16), levels=(1,))


def test_the_map_is_the_weighted_sum_of_channels(cam):
    cam.classifiers[0].weight.data = torch.tensor([[1.0, 0.0], [-1.0, 2.0]])[:, :, None, None]
    coarse = torch.tensor([[[[1.0, 2.0]], [[1.0, 0.0]]]])
    maps = cam((None, coarse), [evidence_of(16, 32)])[0]
    # class 0: 1, 2; class 1: -1 + 2 = 1, -2 -> 0
    assert maps.tolist() == [[[0.5, 1.0]], [[1.0, 0.0]]]


def test_logits_are_the_mean_of_the_map_plus_bias(cam):
    torch.nn.init.normal_(cam.classifiers[0].weight)
    cam.bias.data = torch.tensor([0.3, -0.2])
    coarse = torch.rand(1, 2, 2, 3)
    logits = cam.image_logits((None, coarse), [(32, 48)])
    expected = cam.classifiers[0](coarse).mean((2, 3)) + cam.bias
    torch.testing.assert_close(logits, expected)


def test_padding_counts_nothing(cam):
    torch.nn.init.normal_(cam.classifiers[0].weight)
    coarse = torch.rand(1, 2, 2, 3)
    other = torch.nn.functional.pad(coarse, (0, 2, 0, 1), value=100.0)
    one, two = (cam.image_logits((None, maps), [(32, 48)]) for maps in (coarse, other))
    torch.testing.assert_close(one, two)
    one, two = (cam((None, maps), [evidence_of(32, 48)])[0] for maps in (coarse, other))
    torch.testing.assert_close(one, two)


def test_levels_add_up_on_the_finest_grid():
    cam = CAMAttention(1, in_channels=(1, 1), strides=(8, 16), levels=(0, 1))
    for classifier in cam.classifiers:
        torch.nn.init.ones_(classifier.weight)
    fine, coarse = torch.zeros(1, 1, 2, 4), torch.full((1, 1, 1, 2), 1.0)
    fine[0, 0, 0, 0] = 1.0
    maps = cam((fine, coarse), [evidence_of(16, 32)])[0]
    assert cam.stride == 8
    expected = torch.full((1, 2, 4), 0.5)
    expected[0, 0, 0] = 1.0
    torch.testing.assert_close(maps, expected)


def test_the_classifier_starts_from_zero(cam):
    cam.init_weights()
    assert (cam.classifiers[0].weight == 0).all()
    assert (cam.image_logits((None, torch.rand(1, 2, 1, 1)), [(16, 16)]) == 0).all()


def test_a_region_that_is_the_whole_image_scores_as_the_image_does(cam):
    torch.manual_seed(0)
    torch.nn.init.normal_(cam.classifiers[0].weight)
    torch.nn.init.normal_(cam.bias)
    feats = (torch.rand(1, 1, 8, 12), torch.rand(1, 2, 4, 6))
    whole = torch.tensor([[0.0, 0, 96, 64], [16.0, 16, 48, 32]])
    logits = cam.region_logits(feats, 0, (64, 96), whole)
    assert torch.allclose(logits[:1], cam.image_logits(feats, [(64, 96)]), atol=1e-5)
    inside = feats[1][:, :, 1:2, 1:3]
    assert torch.allclose(
        logits[1:], cam.classifiers[0](inside).mean((2, 3)) + cam.bias, atol=1e-5
    )
