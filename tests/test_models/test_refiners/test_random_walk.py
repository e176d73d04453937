from unittest import mock

import pytest
import torch

from mmlabelpenet.models import RandomWalk
from mmlabelpenet.models.refiners import feature_affinity
from mmlabelpenet.structures import Maps

from ..tiny import STRIDES, evidence_of, random_feats, with_feats


def walked(walk, feats, maps, stride, img_shape):
    """Maps [M, h, w] after a random walk over the features of one image, on its grid."""
    found = walk(evidence_of(*img_shape, feats=feats), Maps(maps, stride))
    assert found.stride == walk.stride
    return found.values


def clusters():
    """Features [4, 2, 6] of two kinds: the left half and the right half."""
    features = torch.zeros(4, 2, 6)
    features[0, :, :3] = 1.0
    features[1, :, 3:] = 1.0
    return features


def test_rows_of_the_affinity_sum_to_one():
    affinity = feature_affinity(torch.randn(5, 3, 4), power=4)
    assert affinity.shape == (12, 12)
    assert (affinity >= 0).all()
    torch.testing.assert_close(affinity.sum(1), torch.ones(12))


def test_the_affinity_is_the_power_of_the_cosine():
    features = torch.randn(5, 3, 4)
    vectors = features.flatten(1).t()
    cosine = torch.nn.functional.normalize(vectors - vectors.mean(0), dim=1)
    for power in (1, 3, 4):
        raw = (cosine @ cosine.t()).clamp(min=0) ** power
        expected = raw / raw.sum(1, keepdim=True)
        torch.testing.assert_close(feature_affinity(features, power), expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize('value', [0.0, 0.7])
def test_constant_features_average_the_map(value):
    walk = RandomWalk(strides=(8,), levels=(0,), steps=1)
    attention = torch.rand(2, 3, 4)
    maps = walked(walk, (torch.full((1, 6, 3, 4), value),), attention, 8, (24, 32))
    # all cells alike, so each class is even, and then divided by its maximum
    torch.testing.assert_close(maps, torch.ones(2, 3, 4))
    affinity = feature_affinity(torch.full((6, 3, 4), value), 4)
    torch.testing.assert_close(affinity, torch.full((12, 12), 1 / 12))


def test_attention_fills_its_cluster_and_does_not_cross_to_the_other():
    walk = RandomWalk(strides=(8,), levels=(0,), steps=3)
    attention = torch.zeros(1, 2, 6)
    attention[0, 0, 1] = 1.0
    maps = walked(walk, (clusters()[None],), attention, 8, (16, 48))
    torch.testing.assert_close(maps[0, :, :3], torch.ones(2, 3))
    assert maps[0, :, 3:].max() < 1e-5


def test_no_step_leaves_the_map_and_brings_it_to_the_grid():
    walk = RandomWalk(strides=(8, 16), levels=(0, 1), steps=0)
    attention = torch.tensor([[[0.5, 1.0]]])
    maps = walked(walk, (), attention, 16, (16, 32))
    assert maps.shape == (1, 2, 4)
    torch.testing.assert_close(maps[0, 0], torch.tensor([0.5, 0.625, 0.875, 1.0]))


def test_an_image_of_one_cell_keeps_its_attention():
    walk = RandomWalk(strides=(32,), levels=(0,))
    maps = walked(walk, (torch.rand(1, 4, 1, 1),), torch.ones(2, 1, 1), 32, (6, 8))
    assert maps.flatten().tolist() == [1, 1]


def test_padding_and_other_images_are_not_read():
    walk = RandomWalk(strides=(8, 16), levels=(0, 1))
    fine, coarse, attention = torch.rand(1, 3, 4, 6), torch.rand(1, 5, 2, 3), torch.rand(2, 2, 3)
    alone = walked(walk, (fine, coarse), attention, 16, (32, 48))
    padded = [torch.nn.functional.pad(x, (0, 3, 0, 2), value=9.0) for x in (fine, coarse)]
    batch = [torch.cat([torch.rand_like(x), x]) for x in padded]
    one = with_feats(batch, [evidence_of(32, 48), evidence_of(32, 48)])[1]
    torch.testing.assert_close(walk(one, Maps(attention, 16)).values, alone)


def test_mixed_precision_does_not_change_the_sums():
    walk = RandomWalk(strides=(8,), levels=(0,))
    feats, attention = (torch.rand(1, 8, 8, 8),), torch.rand(2, 8, 8)
    plain = walked(walk, feats, attention, 8, (64, 64))
    with torch.autocast('cpu', torch.bfloat16):
        mixed = walked(walk, feats, attention, 8, (64, 64))
    assert mixed.dtype == torch.float32
    assert torch.equal(mixed, plain)


def test_several_scales_are_averaged():
    feats, maps = random_feats(), torch.rand(2, 4, 6)
    walks = [
        walked(RandomWalk(STRIDES, (2,), steps=2, scales=scales), feats, maps, 16, (64, 96))
        for scales in ((1.0,), (0.5,), (1.0, 0.5))
    ]
    assert all(tuple(walk.shape) == (2, 4, 6) for walk in walks)
    assert not torch.allclose(walks[0], walks[1], atol=1e-3)
    mean = (walks[0] + walks[1]) / 2
    assert torch.allclose(walks[2], mean / mean.amax((1, 2), keepdim=True), atol=0.05)


def test_a_large_grid_is_reduced_to_the_most_cells_and_a_small_one_is_not():
    attention = torch.zeros(1, 2, 6)
    attention[0, 0, 1] = 1.0
    walks = [RandomWalk((8,), (0,), max_cells=most) for most in (4096, 12, 3)]
    sizes = []

    def counted(features, power):
        sizes.append(features.shape[1] * features.shape[2])
        return feature_affinity(features, power)

    with mock.patch('mmlabelpenet.models.refiners.random_walk.feature_affinity', counted):
        maps = [walked(one, (clusters()[None],), attention, 8, (16, 48)) for one in walks]
    assert sizes == [12, 12, 3]
    assert torch.equal(maps[0], maps[1])
    assert maps[2].shape == maps[0].shape
    # The cluster still gets more than the other one.
    assert maps[2][0, :, 0].mean() > 2 * maps[2][0, :, 5].mean()
