import pytest
import torch

from mmlabelpenet.models import PixelAffinity, RandomWalk
from mmlabelpenet.models.refiners import Refiner, build_refiners, refine
from mmlabelpenet.structures import Maps

from ..tiny import STRIDES, evidence_of


class Scaled(Refiner):
    """Multiplies maps by the stride of their grid, adds to them and names a stride of its own."""

    stride = 4

    def __init__(self, added):
        super().__init__()
        self.added = added

    def forward(self, evidence, maps):
        return Maps(maps.values * maps.stride + self.added, self.stride)


def test_refiners_follow_each_other_on_the_stride_of_the_one_before():
    one = evidence_of(8, 8)
    refined = refine([Scaled(1), Scaled(2)], one, Maps(torch.ones(1, 2, 2), 16))
    assert refined.stride == 4
    assert refined.values.unique().tolist() == [(16 + 1) * 4 + 2]
    same = Maps(torch.ones(1, 2, 2), 16)
    assert refine([], one, same) is same


def test_one_config_a_list_of_them_or_none_build_refiners_in_their_order():
    affinity, walk = dict(type='PixelAffinity', stride=2), dict(type='RandomWalk', strides=STRIDES)
    [single] = build_refiners(affinity)
    assert isinstance(single, PixelAffinity)
    assert single.stride == 2
    several = build_refiners([walk, affinity])
    assert [type(refiner) for refiner in several] == [RandomWalk, PixelAffinity]
    assert len(build_refiners(None)) == 0


def test_a_refiner_without_a_forward_is_refused_when_it_is_built():
    class Nothing(Refiner):
        stride = 4

    with pytest.raises(TypeError, match='forward'):
        Nothing()
