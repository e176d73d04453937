import pytest
import torch

from mmlabelpenet.models import CAMAttention

from ..tiny import evidence_of, with_feats


@pytest.fixture
def cam():
    return CAMAttention(2, in_channels=(1, 2), strides=(8, 16), levels=(1,))


def test_the_map_is_the_weighted_sum_of_channels(cam):
    cam.classifiers[0].weight.data = torch.tensor([[1.0, 0.0], [-1.0, 2.0]])[:, :, None, None]
    coarse = torch.tensor([[[[1.0, 2.0]], [[1.0, 0.0]]]])
    maps = cam(evidence_of(16, 32, feats=(coarse, coarse)))
    # class 0: 1, 2; class 1: -1 + 2 = 1, -2 -> 0
    assert maps.stride == 16
    assert maps.values.tolist() == [[[0.5, 1.0]], [[1.0, 0.0]]]


def test_logits_are_the_mean_of_the_map_plus_bias(cam):
    torch.nn.init.normal_(cam.classifiers[0].weight)
    cam.bias.data = torch.tensor([0.3, -0.2])
    coarse = torch.rand(1, 2, 2, 3)
    logits = cam.image_logits([evidence_of(32, 48, feats=(coarse, coarse))])
    expected = cam.classifiers[0](coarse).mean((2, 3)) + cam.bias
    torch.testing.assert_close(logits, expected)


def test_padding_does_not_count(cam):
    torch.nn.init.normal_(cam.classifiers[0].weight)
    coarse = torch.rand(1, 2, 2, 3)
    other = torch.nn.functional.pad(coarse, (0, 2, 0, 1), value=100.0)
    plain, padded = (evidence_of(32, 48, feats=(maps, maps)) for maps in (coarse, other))
    torch.testing.assert_close(cam.image_logits([plain]), cam.image_logits([padded]))
    torch.testing.assert_close(cam(plain).values, cam(padded).values)


def test_each_image_of_a_batch_is_read_on_its_own(cam):
    torch.nn.init.normal_(cam.classifiers[0].weight)
    feats = (torch.rand(2, 1, 4, 6), torch.rand(2, 2, 2, 3))
    batch = with_feats(feats, [evidence_of(32, 48), evidence_of(20, 30)])
    alone = [
        evidence_of(*one.img_shape, feats=[level[index : index + 1] for level in feats])
        for index, one in enumerate(batch)
    ]
    expected = torch.cat([cam.image_logits([one]) for one in alone])
    torch.testing.assert_close(cam.image_logits(batch), expected)
    for one, other in zip(batch, alone):
        torch.testing.assert_close(cam(one).values, cam(other).values)


def test_levels_add_up_on_the_finest_grid():
    cam = CAMAttention(1, in_channels=(1, 1), strides=(8, 16), levels=(0, 1))
    for classifier in cam.classifiers:
        torch.nn.init.ones_(classifier.weight)
    fine, coarse = torch.zeros(1, 1, 2, 4), torch.full((1, 1, 1, 2), 1.0)
    fine[0, 0, 0, 0] = 1.0
    maps = cam(evidence_of(16, 32, feats=(fine, coarse)))
    assert maps.stride == cam.stride == 8
    expected = torch.full((1, 2, 4), 0.5)
    expected[0, 0, 0] = 1.0
    torch.testing.assert_close(maps.values, expected)


def test_the_classifier_starts_from_zero(cam):
    cam.init_weights()
    assert (cam.classifiers[0].weight == 0).all()
    one = evidence_of(16, 16, feats=(torch.rand(1, 1, 2, 2), torch.rand(1, 2, 1, 1)))
    assert (cam.image_logits([one]) == 0).all()


def test_a_region_that_is_the_whole_image_scores_as_the_image_does(cam):
    torch.manual_seed(0)
    torch.nn.init.normal_(cam.classifiers[0].weight)
    torch.nn.init.normal_(cam.bias)
    feats = (torch.rand(1, 1, 8, 12), torch.rand(1, 2, 4, 6))
    whole = torch.tensor([[0.0, 0, 96, 64], [16.0, 16, 48, 32]])
    one = evidence_of(64, 96, feats=feats)
    logits = cam.region_logits(one, whole)
    assert torch.allclose(logits[:1], cam.image_logits([one]), atol=1e-5)
    inside = feats[1][:, :, 1:2, 1:3]
    assert torch.allclose(
        logits[1:], cam.classifiers[0](inside).mean((2, 3)) + cam.bias, atol=1e-5
    )


def test_the_last_level_is_read_by_default():
    attention = CAMAttention(3, in_channels=(1, 2, 3), strides=(8, 16, 32))
    assert attention.levels == (2,)
    assert attention.stride == 32
