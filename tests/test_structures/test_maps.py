import pytest
import torch

from mmlabelpenet.models.grids import (
    inside_boxes,
    maps_on_image,
    normalise,
    paste_maps,
    refined,
    resample,
    tight_boxes,
    valid_cells,
)
from mmlabelpenet.models.heads import mask_targets

from .tiny import evidence_of


@pytest.mark.parametrize(
    ('shape', 'stride', 'cells'),
    [((64, 96), 16, (4, 6)), ((65, 97), 16, (5, 7)), ((6, 8), 32, (1, 1))],
)
def test_cells_that_cover_a_image(shape, stride, cells):
    assert valid_cells(shape, stride) == cells


def test_normalise_divides_by_the_maximum_and_leaves_empty_maps():
    maps = torch.tensor([[[1.0, 4.0]], [[0.0, 0.0]]])
    assert normalise(maps).tolist() == [[[0.25, 1.0]], [[0.0, 0.0]]]


@pytest.mark.parametrize(('stride', 'new_stride'), [(32, 16), (32, 8), (16, 16), (8, 16), (8, 32)])
def test_resampling_keeps_places_also_where_grids_end_differently(stride, new_stride):
    shape = (100, 72)
    rows, columns = valid_cells(shape, stride)
    # each cell holds the x of its centre, which bilinear reading keeps
    ramp = ((torch.arange(columns) + 0.5) * stride).expand(1, 1, rows, columns)
    size = valid_cells(shape, new_stride)
    found = resample(ramp, stride, new_stride, size)
    assert found.shape[-2:] == size
    padded = torch.nn.functional.pad(ramp, (0, 2, 0, 1), mode='replicate')
    torch.testing.assert_close(resample(padded, stride, new_stride, size), found)
    expected = (torch.arange(size[1]) + 0.5) * new_stride
    within = (expected > stride / 2) & (expected < columns * stride - stride / 2)
    assert within.any()
    torch.testing.assert_close(found[0, 0, 0][within], expected[within])


def test_cells_count_by_their_centres():
    inside = inside_boxes(torch.tensor([[0.4, 0.0, 2.5, 1.0], [0.6, 0.0, 2.6, 2.0]]), 2, 4)
    assert inside[0].tolist() == [[True, True, False, False], [False] * 4]
    assert inside[1].tolist() == [[False, True, True, False]] * 2


def test_tight_boxes_by_hand():
    masks = torch.zeros(3, 4, 6, dtype=torch.bool)
    masks[0, 1, 2] = masks[0, 3, 4] = True
    masks[1] = True
    assert tight_boxes(masks).tolist() == [[2, 1, 5, 4], [0, 0, 6, 4], [0, 0, 0, 0]]
    assert tight_boxes(masks[:0]).shape == (0, 4)


def smooth_map(height, width):
    """A map that changes little from cell to cell."""
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing='ij')
    return 0.5 + 0.3 * torch.sin(x / 6) + 0.2 * torch.cos(y / 5)


def test_pasting_is_the_inverse_of_cutting():
    grid, boxes = smooth_map(24, 30)[None], torch.tensor([[4.0, 5.0, 22.0, 20.0]])
    cut = mask_targets(grid, boxes, torch.tensor([0]), 28)
    pasted = paste_maps(cut, boxes, (24, 30))
    # one cell within the box, since the border is blended with the outside
    torch.testing.assert_close(pasted[0, 6:19, 5:21], grid[0, 6:19, 5:21], atol=0.02, rtol=0)
    assert (pasted[0, :4] == 0).all()
    assert (pasted[0, :, 23:] == 0).all()


@pytest.mark.parametrize(('dx', 'dy'), [(3, 0), (0, 2), (-2, 4)])
def test_a_shifted_box_shifts_the_mask(dx, dy):
    maps, box = torch.rand(1, 7, 7), torch.tensor([[8.0, 6.0, 16.0, 14.0]])
    shift = torch.tensor([dx, dy, dx, dy])
    one, other = paste_maps(maps, box, (24, 24)), paste_maps(maps, box + shift, (24, 24))
    torch.testing.assert_close(other, one.roll((dy, dx), (1, 2)))
    assert one.sum() > 1


def test_maps_reach_the_pixels_of_a_image_whatever_its_scale():
    # 50 x 70 pixels seen at 25 x 105: cells of 8 reach 7 and 7 input pixels beyond it
    one = evidence_of(25, 105, metainfo=dict(ori_shape=(50, 70), scale_factor=(1.5, 0.5)))
    rows, columns = valid_cells(one.img_shape, 8)
    x = ((torch.arange(columns) + 0.5) * 8 / 1.5).expand(rows, columns)
    y = ((torch.arange(rows) + 0.5) * 8 / 0.5)[:, None].expand(rows, columns)
    on_image = maps_on_image(torch.stack([x, y]), 8, one)
    assert on_image.shape == (2, 50, 70)
    pixels = torch.arange(70) + 0.5
    # half a cell from the border nothing is extrapolated; sides are rounded to whole pixels
    torch.testing.assert_close(on_image[0, 25, 4:-4], pixels[4:-4], atol=0.5, rtol=0)
    torch.testing.assert_close(on_image[1, 9:-9, 30], pixels[9:41], atol=0.5, rtol=0)
    assert maps_on_image(torch.zeros(0, rows, columns), 8, one).shape == (0, 50, 70)


class Doubled(torch.nn.Module):
    """Halves the stride of a map and adds to it."""

    def __init__(self, added):
        super().__init__()
        self.added, self.stride = added, 4

    def forward(self, image, maps, stride):
        return maps * stride + self.added


def test_refiners_follow_each_other_on_the_stride_of_the_one_before():
    maps, stride = refined([Doubled(1), Doubled(2)], torch.zeros(3, 8, 8), torch.ones(1, 2, 2), 16)
    assert stride == 4
    assert maps.unique().tolist() == [(16 + 1) * 4 + 2]
    same = torch.ones(1, 2, 2)
    assert refined([], None, same, 16) == (same, 16)
