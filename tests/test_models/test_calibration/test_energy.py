import pytest
import torch

from mmlabelpenet.models.calibration import contrast_energy, energy_share, scale_boxes
from mmlabelpenet.structures import Maps


def test_boxes_are_scaled_about_their_centres():
    assert scale_boxes(torch.tensor([[2.0, 2, 6, 4]]), 1.5).tolist() == [[1, 1.5, 7, 4.5]]


OBJECT = [3.0, 2.0, 7.0, 6.0]


@pytest.fixture
def attention():
    """One object of 4 x 4 cells on faint background."""
    maps = torch.full((1, 10, 12), 0.1)
    maps[0, 2:6, 3:7] = 1
    return Maps(maps, 1)


@pytest.mark.parametrize(
    'other',
    [
        [3.0, 2.0, 5.0, 6.0],  # cuts the object
        [4.0, 3.0, 6.0, 5.0],  # its inmost part
        [1.0, 0.0, 9.0, 8.0],  # includes background
        [0.0, 0.0, 12.0, 10.0],  # the whole image
        [5.0, 4.0, 9.0, 8.0],  # half beside it
        [8.0, 7.0, 12.0, 10.0],  # misses it
    ],
)
def test_contrast_energy_prefers_the_box_that_holds_the_object(attention, other):
    held, lost = contrast_energy(attention, torch.tensor([OBJECT, other]), 0.3)[:, 0]
    assert held.item() == pytest.approx(1)
    assert 0 <= lost < 0.8 * held


def test_contrast_energy_by_hand(attention):
    # 16 cells of .7 over the threshold; 8 x 8 box: 48 cells of .2 under it
    wide = contrast_energy(attention, torch.tensor([[1.0, 0, 9, 8]]), 0.3)
    assert wide.item() == pytest.approx(max(0, 16 * 0.7 - 48 * 0.2) / (16 * 0.7), abs=1e-5)
    half = contrast_energy(attention, torch.tensor([[3.0, 2, 5, 6]]), 0.3)
    assert half.item() == pytest.approx(0.5, abs=1e-5)


def test_contrast_energy_of_empty_attention_is_zero():
    empty = Maps(torch.zeros(2, 4, 4), 1)
    assert (contrast_energy(empty, torch.tensor([[0.0, 0, 4, 4]]), 0.3) == 0).all()


def test_energy_share_by_hand():
    maps = torch.zeros(1, 9, 9)
    maps[0, 3:6, 3:6] = 1
    bboxes = torch.tensor([[3.0, 3, 6, 6], [4.0, 3, 6, 6], [0.0, 0, 1, 1]])
    # whole: nothing around it; cut: 1.5 x around reaches x = 3.5; nothing anywhere: 0
    shares = energy_share(Maps(maps, 1), bboxes)[:, 0]
    assert shares.tolist() == pytest.approx([1, 6 / 7.5, 0])


@pytest.mark.parametrize('energy', [lambda *args: contrast_energy(*args, 0.3), energy_share])
def test_energies_read_boxes_in_pixels(attention, energy):
    boxes = torch.tensor([OBJECT, [4.0, 3, 6, 6], [1.0, 0, 9, 8]])
    coarse = Maps(attention.values, 16)
    torch.testing.assert_close(energy(coarse, 16 * boxes), energy(attention, boxes))
