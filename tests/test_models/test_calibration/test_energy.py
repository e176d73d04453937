import pytest
import torch

from mmlabelpenet.models.calibration import box_sums, contrast_energy, energy_share, scale_boxes

from ..tiny import boxes_in


def brute_force(maps, box):
    """Sum over all cells of value times the area of the cell inside the box."""
    x1, y1, x2, y2 = box.tolist()
    total = torch.zeros(len(maps))
    for row in range(maps.shape[1]):
        for column in range(maps.shape[2]):
            wide = min(x2, column + 1) - max(x1, column)
            high = min(y2, row + 1) - max(y1, row)
            total += maps[:, row, column] * max(wide, 0) * max(high, 0)
    return total


def test_box_sums_equal_brute_force():
    maps = torch.randn(2, 5, 7)
    outside = torch.tensor([[-2.0, -1.0, 3.3, 2.2], [4.0, 1.5, 9.0, 8.0], [8.0, 8.0, 9.0, 9.0]])
    whole = torch.tensor([[0.0, 0, 7, 5], [1, 1, 2, 2], [2.3, 1, 2.3, 4], [6.2, 4.1, 6.9, 4.8]])
    bboxes = torch.cat([boxes_in(5, 7, 10), outside, whole])
    expected = torch.stack([brute_force(maps, box) for box in bboxes])
    torch.testing.assert_close(box_sums(maps, bboxes), expected, atol=1e-5, rtol=1e-4)


def test_box_sums_of_a_single_cell():
    assert box_sums(torch.full((1, 1, 1), 4.0), torch.tensor([[0.25, 0.0, 0.75, 0.5]])).item() == 1


def test_boxes_are_scaled_about_their_centres():
    assert scale_boxes(torch.tensor([[2.0, 2, 6, 4]]), 1.5).tolist() == [[1, 1.5, 7, 4.5]]


OBJECT = [3.0, 2.0, 7.0, 6.0]


@pytest.fixture
def attention():
    """One object of 4 x 4 cells on faint background."""
    maps = torch.full((1, 10, 12), 0.1)
    maps[0, 2:6, 3:7] = 1
    return maps


@pytest.mark.parametrize(
    'other',
    [
        [3.0, 2.0, 5.0, 6.0],  # cuts the object
        [4.0, 3.0, 6.0, 5.0],  # its inmost part
        [1.0, 0.0, 9.0, 8.0],  # swallows background
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
    assert (contrast_energy(torch.zeros(2, 4, 4), torch.tensor([[0.0, 0, 4, 4]]), 0.3) == 0).all()


def test_energy_share_by_hand():
    maps = torch.zeros(1, 9, 9)
    maps[0, 3:6, 3:6] = 1
    bboxes = torch.tensor([[3.0, 3, 6, 6], [4.0, 3, 6, 6], [0.0, 0, 1, 1]])
    # whole: nothing around it; cut: 1.5 x around reaches x = 3.5; nothing anywhere: 0
    shares = energy_share(maps, bboxes)[:, 0]
    assert shares.tolist() == pytest.approx([1, 6 / 7.5, 0])
