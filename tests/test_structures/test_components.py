import pytest
import torch

from mmlabelpenet.structures import components as module
from mmlabelpenet.structures.components import (
    components_by_hooking,
    components_by_scanning,
    without_islands_and_holes,
)


def spiral(side):
    """One cell wide, from a corner to the middle."""
    cells = torch.zeros(side, side, dtype=torch.bool)
    row, column, down, right = 0, 0, 0, 1
    cells[0, 0] = True
    for length in [side - 1, *(n for n in range(side - 1, 0, -2) for _ in range(2))]:
        for _ in range(length):
            row, column = row + down, column + right
            cells[row, column] = True
        down, right = right, -down
    return cells


def serpentine(side):
    """Rows that are joined at alternating ends."""
    cells = torch.zeros(side, side, dtype=torch.bool)
    cells[::2] = True
    cells[1::4, -1] = cells[3::4, 0] = True
    return cells


WINDING = {
    'spiral': spiral(61),
    'serpentine': serpentine(61),
    'diagonal': torch.eye(61).bool(),
    'noise': torch.rand(61, 61, generator=torch.Generator().manual_seed(0)) > 0.6,
    'all': torch.ones(61, 61).bool(),
    'none': torch.zeros(61, 61).bool(),
    'a cell': torch.ones(1, 1).bool(),
}


@pytest.mark.parametrize('name', WINDING)
@pytest.mark.parametrize('turned', ['as is', 'flipped', 'transposed'])
def test_components_are_the_same_on_all_devices(name, turned):
    cells = WINDING[name]
    cells = {'as is': cells, 'flipped': cells.flip(0), 'transposed': cells.t()}[turned]
    flat = cells.flatten()
    ours, theirs = (
        number(cells[None].contiguous())[0][flat]
        for number in (components_by_hooking, components_by_scanning)
    )
    pairs = torch.stack([ours, theirs], dim=1).unique(dim=0)
    assert len(pairs) == len(ours.unique()) == len(theirs.unique())


def test_no_map_has_no_component():
    assert components_by_hooking(torch.zeros(0, 4, 4).bool()).shape == (0, 16)


def drawn(*rows):
    return torch.tensor([[cell == '#' for cell in row] for row in rows])


@pytest.fixture(params=[components_by_scanning, components_by_hooking])
def any_device(request, monkeypatch):
    monkeypatch.setattr(module, 'components', request.param)


def test_small_parts_go_and_holes_are_filled(any_device):
    mask = drawn('####..#', '#.##...', '####..#', '......#')
    other = drawn('##.....', '##.....', '......#', '.......')
    cleaned = without_islands_and_holes(torch.stack([mask, other]), least=0.5)
    assert cleaned[0].equal(drawn('####...', '####...', '####...', '.......'))
    assert cleaned[1].equal(drawn('##.....', '##.....', '.......', '.......'))


def test_parts_of_at_least_their_share_stay(any_device):
    mask = drawn('####..#', '####...', '......#', '......#')
    assert without_islands_and_holes(mask[None], least=0.2)[0].equal(
        drawn('####...', '####...', '......#', '......#')
    )
    assert without_islands_and_holes(mask[None], least=0.0)[0].equal(mask)


def test_a_bay_is_no_hole_and_empty_masks_stay_empty(any_device):
    bay = drawn('###', '#..', '###')
    assert without_islands_and_holes(bay[None], least=0.5)[0].equal(bay)
    assert not without_islands_and_holes(torch.zeros(2, 3, 4).bool(), least=0.5).any()
    assert without_islands_and_holes(torch.ones(1, 3, 4).bool(), least=0.5).all()
    assert without_islands_and_holes(torch.zeros(0, 3, 4).bool(), least=0.5).shape == (0, 3, 4)
