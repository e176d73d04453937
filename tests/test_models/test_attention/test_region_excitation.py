import pytest
import torch
import torch.nn.functional as F
from mmcv.ops import RoIAlign

from mmlabelpenet.models import RoIFeatures
from mmlabelpenet.models.attention import RegionExcitation
from mmlabelpenet.models.attention.region_excitation import (
    excite_fc,
    excite_pooling,
    excite_pooling_summed,
)

from ..tiny import ROI_FEATURES, boxes_in, random_feats

TINY = 1e-9


def random_masses(count, *shape):
    raw = torch.rand(count, *shape)
    return raw / raw.flatten(1).sum(1).view(-1, *[1] * len(shape))


@pytest.fixture
def features():
    torch.manual_seed(0)
    return RoIFeatures(**ROI_FEATURES).eval()


def walk_of(features, count=5):
    return RegionExcitation(features, random_feats(), boxes_in(64, 96, count))


def test_means_over_regions_have_no_key_pixels():
    with pytest.raises(ValueError, match='with_avg_pool'):
        walk_of(RoIFeatures(**ROI_FEATURES, with_avg_pool=True))


def test_a_fully_connected_layer_keeps_the_mass_and_follows_the_formula():
    torch.manual_seed(0)
    weight, activations = torch.randn(4, 6), torch.rand(3, 6) + 0.1
    regions, mass = torch.tensor([2, 0, 2, 1]), random_masses(4, 4)
    landed = excite_fc(weight, activations, regions, mass)
    for k, n in enumerate(regions.tolist()):
        expected = torch.zeros(6)
        for i in range(4):
            parts = [float(activations[n, j] * max(weight[i, j], 0)) for j in range(6)]
            for j in range(6):
                expected[j] += mass[k, i] * parts[j] / max(sum(parts), 1e-12)
        torch.testing.assert_close(landed[k], expected, rtol=0, atol=1e-5)
    torch.testing.assert_close(landed.sum(1), torch.ones(4), rtol=0, atol=1e-4)


@pytest.mark.parametrize('pool_mode', ['avg', 'max'])
def test_pooling_keeps_the_mass_of_every_pair_within_its_region(pool_mode):
    torch.manual_seed(0)
    layer = RoIAlign(3, 1 / 8, 2, pool_mode)
    fused, mass = torch.rand(1, 2, 8, 12), random_masses(2, 2, 3, 3)
    bboxes = torch.tensor([[8.0, 8, 40, 40], [56, 24, 88, 56]])
    landed = excite_pooling(layer, fused, bboxes, mass, maximum=pool_mode == 'max')
    torch.testing.assert_close(landed.sum((1, 2, 3)), torch.ones(2), rtol=0, atol=1e-4)
    assert (landed >= 0).all()
    # bilinear sampling reaches half a cell beyond the box
    assert landed[0, :, 0:6, 0:6].sum() == pytest.approx(1, abs=1e-4)
    assert landed[1, :, 2:8, 6:12].sum() == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize('pool_mode', ['avg', 'max'])
def test_summed_pooling_is_the_sum_over_channels_of_pooling(pool_mode):
    torch.manual_seed(0)
    layer = RoIAlign(3, 1 / 8, 2, pool_mode)
    # fused maps have no sign of their own, and contrast makes masses negative
    fused, mass = torch.randn(1, 4, 8, 12), torch.randn(2, 4, 3, 3)
    bboxes = torch.tensor([[8.0, 8, 40, 40], [56, 24, 88, 56]])
    full = excite_pooling(layer, fused, bboxes, mass, maximum=pool_mode == 'max')
    summed = excite_pooling_summed(layer, fused, bboxes, mass, maximum=pool_mode == 'max')
    torch.testing.assert_close(summed, full.sum(1), rtol=1e-4, atol=1e-5)


def test_a_pair_among_many_has_the_map_that_it_has_alone(features):
    walk = walk_of(features)
    weights, regions = torch.randn(4, 8), torch.tensor([0, 3, 3, 1])
    together = walk.key_pixels(weights, regions)
    chunked = RegionExcitation(features, random_feats(), boxes_in(64, 96, 5), chunk_size=3)
    assert torch.allclose(chunked.key_pixels(weights, regions), together, atol=1e-6)
    for k in range(4):
        alone = walk.key_pixels(weights[k : k + 1], regions[k : k + 1])
        assert torch.allclose(alone[0], together[k], atol=1e-6)


def test_key_pixels_of_a_pair_equal_the_formula_layer_by_layer(features):
    bboxes = boxes_in(64, 96, 1)
    walk = walk_of(features, 1)
    weight = torch.randn(1, 8)
    pooled, hidden, vector = (a.detach() for a in walk.activations)
    first, second = walk.linears
    mass = vector * weight.clamp(min=0) + TINY
    mass = mass / mass.sum()
    for layer, below in ((second, hidden), (first, pooled)):
        positive = layer.weight.detach().clamp(min=0)
        total = positive @ below[0] + TINY
        mass = ((mass / total) @ positive) * below
    fused = walk.fused.detach().requires_grad_()
    out = walk.layer(fused, F.pad(bboxes, (1, 0)))
    # sum over outputs i of P_i * w_ij a_j / z_i, as a gradient by hand
    (out * (mass.view_as(out) / out.detach().clamp(min=1e-9))).sum().backward()
    expected = (fused.grad * fused.detach()).sum(1)
    assert torch.allclose(walk.key_pixels(weight, torch.tensor([0])), expected, atol=1e-4)


def test_contrast_subtracts_the_opposite_class(features):
    walk, regions = walk_of(features), torch.arange(5)
    weights = torch.randn(5, 8)
    maps = walk.key_pixels(weights, regions, contrastive=True)
    plain = walk.key_pixels(weights, regions) - walk.key_pixels(-weights, regions)
    assert torch.allclose(maps, plain, atol=1e-6)
    assert maps.sum((1, 2)).abs().max() < 1e-4
    assert maps.abs().max() > 1e-3


def test_propagation_through_the_fusion_keeps_the_mass(features):
    walk = walk_of(features)
    levels = walk.key_pixels(torch.randn(3, 8), torch.tensor([0, 1, 4]), to_levels=True)
    assert [tuple(level.shape) for level in levels] == [(3, 40, 8, 12), (3, 112, 4, 6)]
    total = sum(level.sum((1, 2, 3)) for level in levels)
    torch.testing.assert_close(total, torch.ones(3), rtol=0, atol=1e-4)
    assert all((level >= 0).all() and level.sum() > 0.1 for level in levels)


def test_it_leaves_no_gradient_and_disturbs_none(features):
    feats = random_feats()
    features.train()
    vectors = features(feats, F.pad(boxes_in(64, 96, 2), (1, 0)))
    walk_of(features).key_pixels(torch.randn(2, 8), torch.tensor([0, 1]))
    assert all(parameter.grad is None for parameter in features.parameters())
    vectors.sum().backward()
    assert features.fcs[0].weight.grad is not None
    assert features.training


def test_each_level_of_the_fusion_gets_what_it_adds_to_a_cell():
    # Levels of one stride and 1 x 1 projections: the mass of a cell stays there.
    fusion = dict(in_channels=(3, 4, 5), strides=(8, 8, 8), out_channels=6)
    features = RoIFeatures(fusion=fusion, roi_size=3, fc_channels=8).eval()
    feats = [torch.rand(1, channels, 8, 12) for channels in fusion['in_channels']]
    walk, mass = RegionExcitation(features, feats, boxes_in(64, 96, 1)), torch.rand(2, 6, 8, 12)
    added = torch.stack(
        [
            F.conv2d(level, projection.weight.detach().clamp(min=0))[0]
            for level, projection in zip(feats, features.fusion.projections)
        ]
    )
    for level, share in zip(walk._to_levels(mass), added / added.sum(0)):
        torch.testing.assert_close(level.sum(1), (mass * share).sum(1), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize('excite', [excite_pooling, excite_pooling_summed])
def test_pooling_keeps_the_mass_where_nothing_excites(excite):
    layer, bboxes = RoIAlign(3, 1 / 8, 2, 'avg'), torch.tensor([[8.0, 8, 40, 40]])
    landed = excite(layer, torch.zeros(1, 2, 8, 12), bboxes, random_masses(1, 2, 3, 3))
    assert landed.sum().item() == pytest.approx(1, abs=1e-4)
