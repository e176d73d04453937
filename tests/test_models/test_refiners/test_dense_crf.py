import builtins
import math

import pytest
import torch

from mmlabelpenet.models import DenseCRF
from mmlabelpenet.structures import Maps
from mmlabelpenet.utils import UserError

from ..tiny import evidence_of

pytest.importorskip('pydensecrf', reason='pydensecrf2 is optional, and not built here')


def image_of_a_square():
    """Evidence of a bright square on a dark ground, of 64 x 96."""
    image = torch.full((3, 64, 96), -0.6)
    image[:, 16:48, 24:64] = 0.7
    image += torch.randn(3, 64, 96, generator=torch.Generator().manual_seed(0)) / 30
    return evidence_of(64, 96, image=image)


def test_a_blurred_map_reaches_the_edges_of_colour():
    coarse = torch.zeros(1, 4, 6)
    coarse[0, 1:3, 1:4] = torch.tensor([[0.5, 0.9, 0.6], [0.5, 1.0, 0.7]])
    fine = DenseCRF(stride=2)(image_of_a_square(), Maps(coarse, 16))
    assert fine.stride == 2
    assert tuple(fine.values.shape) == (1, 32, 48)
    square = torch.zeros(32, 48, dtype=torch.bool)
    square[8:24, 12:32] = True
    found = fine.values[0] >= 0.5
    assert (found & square).sum() / (found | square).sum() > 0.95
    assert fine.values.max() == 1


def test_maps_do_not_affect_one_another_and_there_may_be_none():
    maps = Maps(torch.rand(2, 4, 6, generator=torch.Generator().manual_seed(1)), 16)
    crf, one = DenseCRF(), image_of_a_square()
    assert torch.allclose(crf(one, maps).values[1:], crf(one, maps[1:]).values)
    assert crf(one, maps[:0]).values.shape == (0, 32, 48)


def test_odd_sides_are_covered():
    one = evidence_of(61, 93, image=torch.zeros(3, 61, 93))
    fine = DenseCRF(stride=4)(one, Maps(torch.rand(1, 4, 6), 16))
    assert fine.values.shape == (1, 16, 24)


def test_without_the_library_the_error_names_the_remedy(monkeypatch):
    imported = builtins.__import__

    def refuse(name, *args, **kwargs):
        if name.startswith('pydensecrf'):
            raise ImportError(name)
        return imported(name, *args, **kwargs)

    monkeypatch.setattr(builtins, '__import__', refuse)
    with pytest.raises(UserError, match='pip install pydensecrf2'):
        DenseCRF()


def test_attention_of_a_half_is_a_probability_of_a_half(monkeypatch):
    given = []
    crf = DenseCRF(stride=4)
    monkeypatch.setattr(crf, '_infer', lambda colours, maps: given.append(maps) or maps)
    maps = torch.zeros(1, 16, 24)
    maps[0, 0, :3] = torch.tensor([0.5, 1.0, 0.75])
    crf(image_of_a_square(), Maps(maps, 4))
    # A logistic function of slope 8.
    expected = [0.5, 1 / (1 + math.exp(-4)), 1 / (1 + math.exp(-2))]
    assert given[0][0, :3].tolist() == pytest.approx(expected, abs=1e-5)
    assert given[0][0, 3] == pytest.approx(1 - expected[1], abs=1e-5)
