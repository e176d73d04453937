import pytest
import torch
import torch.nn.functional as F

from mmlabelpenet.models import LevelFusion, RoIFeatures
from mmlabelpenet.models.heads.roi_features import ChannelNorm, build_extractor, ring_of

from ..tiny import FUSION, LEVELS, boxes_in, random_feats


def rois_of(count, index=0):
    return torch.cat([torch.full((count, 1), float(index)), boxes_in(64, 96, count)], dim=1)


def test_fusion_is_the_projection_of_the_concatenated_levels():
    fusion = LevelFusion(**LEVELS, out_channels=6, out_stride=8)
    feats = random_feats(batch=2)
    size = feats[1].shape[-2:]
    resized = [F.interpolate(x, size=size, mode='bilinear', align_corners=False) for x in feats]
    weight = torch.cat([projection.weight for projection in fusion.projections], dim=1)
    bias = sum(projection.bias for projection in fusion.projections)
    expected = F.conv2d(torch.cat(resized, dim=1), weight, bias)
    expected = F.relu(fusion.norm(expected))
    torch.testing.assert_close(fusion(feats), expected, atol=1e-5, rtol=1e-4)


def test_the_finest_used_level_gives_the_stride():
    assert LevelFusion(**LEVELS, levels=(1, 2)).stride == 8
    fused = LevelFusion(**LEVELS, levels=(1, 2), out_channels=4)(random_feats())
    assert tuple(fused.shape) == (1, 4, 8, 12)


def test_channel_norm_treats_every_cell_alone():
    norm = ChannelNorm(5)
    x = torch.randn(1, 5, 3, 4)
    normed = norm(x)
    torch.testing.assert_close(normed.mean(1), torch.zeros(1, 3, 4), atol=1e-6, rtol=0)
    x[..., 0, 0] = 100 * torch.rand(1, 5)
    assert norm(x)[..., 1:, :].equal(normed[..., 1:, :])


@pytest.mark.parametrize('out_channels', [4, None])
def test_the_result_is_contiguous_float_for_channels_last_and_bfloat16(out_channels):
    fusion = LevelFusion(**LEVELS, levels=(1,), out_channels=out_channels)
    feats = random_feats(batch=2)
    last = [x.contiguous(memory_format=torch.channels_last) for x in feats]
    fused = fusion(last)
    assert fused.is_contiguous()
    torch.testing.assert_close(fused, fusion(feats))
    with torch.autocast('cpu', torch.bfloat16):
        half = fusion([x.bfloat16() for x in feats])
    assert half.dtype == torch.float32
    assert half.is_contiguous()


def test_regions_of_channels_last_maps_are_read_correctly():
    """mmcv's RoIAlign reads channels-last maps wrongly without an error; ours must not."""
    fusion = LevelFusion(**LEVELS, levels=(1,), out_channels=None)
    extractor = build_extractor(fusion, roi_size=2)
    # every channel holds its number, everywhere
    numbers = torch.arange(40.0)[None, :, None, None].expand(1, 40, 8, 12)
    feats = (None, numbers.contiguous(memory_format=torch.channels_last), None)
    values = extractor((fusion(feats),), rois_of(3))
    torch.testing.assert_close(values, torch.arange(40.0)[None, :, None, None].expand_as(values))


def test_only_a_single_level_at_its_own_stride_may_stay_unprojected():
    with pytest.raises(ValueError, match='out_channels'):
        LevelFusion(**LEVELS, levels=(0, 1), out_channels=None)
    with pytest.raises(ValueError, match='out_channels'):
        LevelFusion(**LEVELS, levels=(1,), out_channels=None, out_stride=4)
    assert LevelFusion(**LEVELS, levels=(1,), out_channels=None).out_channels == 40


def test_chunks_change_nothing():
    features = RoIFeatures(FUSION, roi_size=3, fc_channels=8, chunk_size=7).eval()
    feats, rois = random_feats(batch=2), torch.cat([rois_of(9), rois_of(8, index=1)])
    sizes = []
    features.fcs.register_forward_hook(lambda module, args, out: sizes.append(len(out)))
    with torch.no_grad():
        chunked = features(feats, rois)
        features.chunk_size = 100
        whole = features(feats, rois)
    assert sizes == [7, 7, 3, 17]
    assert chunked.shape == (17, 8)
    torch.testing.assert_close(chunked, whole)


def test_with_gradient_all_regions_pass_at_once():
    features = RoIFeatures(FUSION, roi_size=3, fc_channels=8, chunk_size=2)
    sizes = []
    features.fcs.register_forward_hook(lambda module, args, out: sizes.append(len(out)))
    features(random_feats(), rois_of(5))
    assert sizes == [5]


def test_coordinates_are_pixels_of_the_input():
    features = RoIFeatures(dict(**LEVELS, levels=(1,), out_channels=None), roi_size=1, num_fcs=0)
    # a ramp: each cell of stride 8 holds the x of its centre
    ramp = ((torch.arange(12) + 0.5) * 8).expand(1, 40, 8, 12)
    roi = torch.tensor([[0.0, 24, 8, 56, 40]])
    torch.testing.assert_close(features((None, ramp, None), roi)[0], torch.full((40,), 40.0))


def test_a_ring_holds_the_cells_around_the_region():
    assert ring_of(5, 1.8).sum() == 16
    assert ring_of(5, 1.8)[1:4, 1:4].sum() == 0
    assert ring_of(4, 2.0)[1:3, 1:3].sum() == 0
    with pytest.raises(ValueError, match='grid of 2 cells'):
        ring_of(2, 1.8)


def test_rings_are_read_from_the_surrounding_box_without_the_region():
    features = RoIFeatures(
        dict(**LEVELS, levels=(1,), out_channels=None), roi_size=4, num_fcs=0, context=2.0
    )
    # a ramp: each cell of stride 8 holds the x of its centre
    ramp = ((torch.arange(12) + 0.5) * 8).expand(1, 40, 8, 12)
    roi = torch.tensor([[0.0, 32, 24, 64, 40]])
    around = features((None, ramp, None), roi, around=True).view(40, 4, 4)
    row = torch.tensor([24.0, 40, 56, 72])
    torch.testing.assert_close(around[0, 0], row)
    torch.testing.assert_close(around[39, 1], row * torch.tensor([1.0, 0, 0, 1]))


def test_region_and_ring_are_pooled_to_means_alike():
    """A region of ones in a map of threes: the means are 1 and 3, with no cell of the other."""
    features = RoIFeatures(
        dict(**LEVELS, levels=(1,), out_channels=None),
        roi_size=4,
        num_fcs=0,
        context=2.0,
        with_avg_pool=True,
    )
    cells = torch.full((1, 40, 12, 16), 3.0)
    cells[:, :, 4:8, 4:8] = 1.0
    # the samples of its grid keep a cell's distance from the edge of the ones
    inner = torch.tensor([[0.0, 36, 36, 60, 60]])
    torch.testing.assert_close(features((None, cells, None), inner)[0], torch.ones(40))
    around = torch.tensor([[0.0, 28, 28, 68, 68]])
    ring = features((None, cells, None), around, around=True)[0]
    torch.testing.assert_close(ring, torch.full((40,), 3.0))


def test_means_need_the_weights_of_one_cell():
    features = RoIFeatures(FUSION, roi_size=3, fc_channels=8, with_avg_pool=True)
    assert features.fcs[0].in_features == FUSION['out_channels']
    assert features(random_feats(), rois_of(5)).shape == (5, 8)
    assert features(random_feats(), rois_of(0)).shape == (0, 8)


def test_the_first_component_has_unit_variance_however_small_the_values_are():
    fusion = LevelFusion(in_channels=(3,), strides=(8,), out_channels=2)
    mean, spread = torch.tensor([2.0, 0, 0]), torch.tensor([0.03, 0.02, 0.01])
    fusion.init_from_moments([(mean, spread.square().diag())])
    [projection] = fusion.projections
    weight = projection.weight[:, :, 0, 0]
    variances = (weight.square() * spread.square()).sum(1)
    torch.testing.assert_close(variances, torch.tensor([1.0, 4 / 9]))
    torch.testing.assert_close(weight @ mean + projection.bias, torch.zeros(2))


def test_by_default_a_region_is_a_grid_of_5_and_two_layers_of_1024():
    linears = [one for one in RoIFeatures(FUSION).fcs if isinstance(one, torch.nn.Linear)]
    sizes = [(one.in_features, one.out_features) for one in linears]
    assert sizes == [(FUSION['out_channels'] * 5 * 5, 1024), (1024, 1024)]
