import pytest
import torch

from mmlabelpenet.models import PixelAffinity
from mmlabelpenet.models.refiners import colour_affinity, neighbours
from mmlabelpenet.models.refiners.pixel_affinity import spread_in_cache, spread_in_few_kernels
from mmlabelpenet.structures import Maps

from ..tiny import evidence_of


def refined(refiner, image, maps, stride):
    """Maps [M, h, w] refined by the colours of an image [3, H, W], on the refiner's grid."""
    found = refiner(evidence_of(*image.shape[1:], image=image), Maps(maps, stride))
    assert found.stride == refiner.stride
    return found.values


def two_colours(height=48, width=64, edge=40):
    """An image of two colours with a vertical edge between them."""
    image = torch.zeros(3, height, width)
    image[0, :, :edge] = 1.0
    image[2, :, edge:] = 1.0
    return image + 0.02 * torch.rand(3, height, width)


def test_neighbours_of_a_cell():
    around = neighbours(torch.arange(25.0).view(1, 5, 5), (1, 2))
    assert tuple(around.shape) == (1, 16, 5, 5)
    assert around[0, :8, 2, 2].tolist() == [6, 7, 8, 11, 13, 16, 17, 18]
    assert around[0, 8:, 2, 2].tolist() == [0, 2, 4, 10, 14, 20, 22, 24]
    assert around[0, :8, 0, 0].tolist() == [0, 0, 1, 0, 1, 5, 5, 6]


def test_affinity_sums_to_one_over_neighbours_and_is_small_across_an_edge():
    affinity = colour_affinity(two_colours()[:, ::4, ::4], (1,), 0.1)
    torch.testing.assert_close(affinity.sum(0), torch.ones(12, 16))
    # left of the edge, which lies between columns 9 and 10, nothing comes from the right
    from_right = affinity[[2, 4, 7], 2:-2, 9].sum(0)
    assert from_right.max() < 0.01


@pytest.mark.parametrize('spread', [spread_in_cache, spread_in_few_kernels])
def test_a_cell_gets_the_mean_of_its_neighbours_weighted_by_affinity(spread):
    maps, affinity = torch.rand(3, 9, 11), torch.rand(16, 9, 11)
    expected = (neighbours(maps, (1, 3)) * affinity).sum(1)
    torch.testing.assert_close(spread(maps, affinity, (1, 3), 1), expected)
    twice = (neighbours(expected, (1, 3)) * affinity).sum(1)
    torch.testing.assert_close(spread(maps, affinity, (1, 3), 2), twice)


def test_differences_are_divided_by_the_standard_deviation_of_the_colours_around():
    image = 100 + torch.rand(3, 8, 9)
    around = neighbours(image, (1, 2))
    deviation = torch.cat([around, image[:, None]], dim=1).std(1, keepdim=True)
    expected = -((around - image[:, None]).abs() / (0.1 * deviation)).mean(0)
    torch.testing.assert_close(
        colour_affinity(image, (1, 2), 0.1), expected.softmax(0), rtol=1e-3, atol=1e-5
    )


def test_affinity_does_not_depend_on_the_unit_of_colour():
    image = torch.rand(3, 8, 9)
    one, other = (colour_affinity(p, (1, 2), 0.1) for p in (image, 40 * image - 7))
    torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-5)


def test_noise_of_an_even_ground_is_no_edge_below_the_least_spread():
    image = two_colours()[:, ::4, ::4]
    plain, even = (colour_affinity(image, (1,), 0.1, least) for least in (0.0, 0.5))
    # away from the edge all neighbours count about the same, and across it nothing changes
    assert plain[:, 2:-2, 2:7].std(0).mean() > 5 * even[:, 2:-2, 2:7].std(0).mean()
    assert even[[2, 4, 7], 2:-2, 9].sum(0).max() < 0.02
    torch.testing.assert_close(colour_affinity(100 * image + 3, (1,), 0.1, 0.5), even)


def test_a_map_ends_at_the_edge_of_colour():
    # attention reaches two coarse cells, 8 and 16 pixels, beyond the edge at column 40
    maps = torch.zeros(1, 6, 8)
    maps[0, :, :5], maps[0, :, 5], maps[0, :, 6] = 1.0, 0.7, 0.5
    sharp = refined(PixelAffinity(stride=4, steps=20), two_colours(), maps, 8)
    assert tuple(sharp.shape) == (1, 12, 16)
    plain = refined(PixelAffinity(stride=4, steps=0), two_colours(), maps, 8)
    assert sharp[0, 4:8, 9].mean() > 0.9
    drop = [one[0, :, 9].mean() - one[0, :, 10].mean() for one in (plain, sharp)]
    assert drop[1] > drop[0]


def test_an_image_of_one_colour_and_no_maps_are_allowed():
    affinity = PixelAffinity(stride=4)
    flat = refined(affinity, torch.zeros(3, 30, 50), torch.rand(2, 4, 7), 8)
    assert tuple(flat.shape) == (2, 8, 13)
    assert flat.isfinite().all()
    none = refined(affinity, torch.rand(3, 30, 50), torch.zeros(0, 4, 7), 8)
    assert tuple(none.shape) == (0, 8, 13)
