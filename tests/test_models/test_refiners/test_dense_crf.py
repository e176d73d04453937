import builtins

import pytest
import torch

from mmlabelpenet.models import DenseCRF
from mmlabelpenet.utils import UserError

pytest.importorskip('pydensecrf', reason='pydensecrf2 is optional, and not built here')


def image_of_a_square():
    """A bright square on a dark ground, [3, 64, 96], as the network sees it."""
    image = torch.full((3, 64, 96), -0.6)
    image[:, 16:48, 24:64] = 0.7
    return image + torch.randn(3, 64, 96, generator=torch.Generator().manual_seed(0)) / 30


def test_a_blurred_map_runs_up_to_the_edges_of_colour():
    coarse = torch.zeros(1, 4, 6)
    coarse[0, 1:3, 1:4] = torch.tensor([[0.5, 0.9, 0.6], [0.5, 1.0, 0.7]])
    fine = DenseCRF(stride=2)(image_of_a_square(), coarse, 16)
    assert tuple(fine.shape) == (1, 32, 48)
    truth = torch.zeros(32, 48, dtype=torch.bool)
    truth[8:24, 12:32] = True
    found = fine[0] >= 0.5
    assert (found & truth).sum() / (found | truth).sum() > 0.95
    assert fine.max() == 1


def test_maps_do_not_touch_one_another_and_none_is_fine():
    maps = torch.rand(2, 4, 6, generator=torch.Generator().manual_seed(1))
    crf, image = DenseCRF(), image_of_a_square()
    assert torch.allclose(crf(image, maps, 16)[1:], crf(image, maps[1:], 16))
    assert crf(image, maps[:0], 16).shape == (0, 32, 48)


def test_odd_sides_are_covered():
    assert DenseCRF(stride=4)(torch.zeros(3, 61, 93), torch.rand(1, 4, 6), 16).shape == (1, 16, 24)


def test_without_the_library_the_remedy_is_told(monkeypatch):
    imported = builtins.__import__

    def refuse(name, *args, **kwargs):
        if name.startswith('pydensecrf'):
            raise ImportError(name)
        return imported(name, *args, **kwargs)

    monkeypatch.setattr(builtins, '__import__', refuse)
    with pytest.raises(UserError, match='pip install pydensecrf2'):
        DenseCRF()
