import pytest
import torch
from test_models.tiny import boxes_in

from mmlabelpenet.models.heads.mask_supervision import mask_targets
from mmlabelpenet.structures import Maps, grid_size
from mmlabelpenet.structures.maps import (
    inside_boxes,
    mean_maps,
    normalise,
    paste_maps,
    resample,
    tight_boxes,
)


@pytest.mark.parametrize(
    ('shape', 'stride', 'cells'),
    [((64, 96), 16, (4, 6)), ((65, 97), 16, (5, 7)), ((6, 8), 32, (1, 1))],
)
def test_cells_that_cover_an_image(shape, stride, cells):
    assert grid_size(shape, stride) == cells


def test_normalise_divides_by_the_maximum_and_leaves_empty_maps():
    maps = torch.tensor([[[1.0, 4.0]], [[0.0, 0.0]]])
    assert normalise(maps).tolist() == [[[0.25, 1.0]], [[0.0, 0.0]]]
    normalised = Maps(maps, 16).normalise()
    assert normalised.values.equal(normalise(maps))
    assert normalised.stride == 16


def ramp_of(shape, stride):
    """A map [1, h, w] whose cells hold the x of their centres, which bilinear reading keeps."""
    rows, columns = grid_size(shape, stride)
    return ((torch.arange(columns) + 0.5) * stride).expand(1, rows, columns)


@pytest.mark.parametrize(('stride', 'new_stride'), [(32, 16), (32, 8), (16, 16), (8, 16), (8, 32)])
def test_resampling_keeps_places_also_where_grids_end_differently(stride, new_stride):
    shape = (100, 72)
    ramp = ramp_of(shape, stride)[None]
    size = grid_size(shape, new_stride)
    found = resample(ramp, stride, new_stride, size)
    assert found.shape[-2:] == size
    padded = torch.nn.functional.pad(ramp, (0, 2, 0, 1), mode='replicate')
    torch.testing.assert_close(resample(padded, stride, new_stride, size), found)
    expected = (torch.arange(size[1]) + 0.5) * new_stride
    within = (expected > stride / 2) & (expected < ramp.shape[-1] * stride - stride / 2)
    assert within.any()
    torch.testing.assert_close(found[0, 0, 0][within], expected[within])


def test_maps_are_resampled_to_float32_with_their_new_stride():
    maps = Maps(ramp_of((100, 72), 32).half(), 32)
    fine = maps.resample(8, (13, 9))
    assert fine.stride == 8
    assert fine.values.dtype == torch.float32
    assert fine.values.equal(resample(maps.values[None].float(), 32, 8, (13, 9))[0])


def test_no_maps_are_resampled_to_none_of_the_new_size():
    none = Maps(torch.zeros(0, 4, 6), 16).resample(8, (7, 11))
    assert tuple(none.values.shape) == (0, 7, 11)
    assert none.stride == 8


def test_some_of_the_maps_keep_the_stride():
    maps = Maps(torch.rand(3, 2, 2), 8)
    some = maps[torch.tensor([2, 0])]
    assert some.values.equal(maps.values[[2, 0]])
    assert some.stride == 8


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


def test_tight_boxes_of_maps_are_in_pixels_within_the_image():
    masks = torch.zeros(3, 4, 6, dtype=torch.bool)
    masks[0, 1, 2] = masks[0, 3, 4] = True
    masks[1] = True
    # 4 x 6 cells of 16 pixels cover 64 x 96 pixels, more than the image has
    boxes = Maps(masks, 16).tight_boxes((60, 90))
    assert boxes.tolist() == [[32, 16, 80, 60], [0, 0, 90, 60], [0, 0, 0, 0]]


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


@pytest.mark.parametrize('stride', [1, 16])
def test_box_sums_equal_brute_force(stride):
    maps = torch.randn(2, 5, 7)
    outside = torch.tensor([[-2.0, -1.0, 3.3, 2.2], [4.0, 1.5, 9.0, 8.0], [8.0, 8.0, 9.0, 9.0]])
    whole = torch.tensor([[0.0, 0, 7, 5], [1, 1, 2, 2], [2.3, 1, 2.3, 4], [6.2, 4.1, 6.9, 4.8]])
    bboxes = torch.cat([boxes_in(5, 7, 10), outside, whole])
    expected = torch.stack([brute_force(maps, box) for box in bboxes])
    sums = Maps(maps, stride).box_sums(bboxes * stride)
    torch.testing.assert_close(sums, expected, atol=1e-5, rtol=1e-4)


def test_box_sums_of_a_single_cell():
    cell = Maps(torch.full((1, 1, 1), 4.0), 1)
    assert cell.box_sums(torch.tensor([[0.25, 0.0, 0.75, 0.5]])).item() == 1


def smooth_map(height, width):
    """A map that changes little from cell to cell."""
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing='ij')
    return 0.5 + 0.3 * torch.sin(x / 6) + 0.2 * torch.cos(y / 5)


def test_pasting_is_the_inverse_of_cropping():
    grid, boxes = smooth_map(24, 30)[None], torch.tensor([[4.0, 5.0, 22.0, 20.0]])
    cropped = mask_targets(Maps(grid, 1), boxes, torch.tensor([0]), 28)
    pasted = paste_maps(cropped, boxes, (24, 30))
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


def test_maps_reach_the_pixels_of_an_image_whatever_its_scale():
    # 50 x 70 pixels read at 25 x 105: cells of 8 reach 7 and 7 input pixels beyond it
    ori_shape, scale_factor = (50, 70), (1.5, 0.5)
    rows, columns = grid_size((25, 105), 8)
    x = ((torch.arange(columns) + 0.5) * 8 / 1.5).expand(rows, columns)
    y = ((torch.arange(rows) + 0.5) * 8 / 0.5)[:, None].expand(rows, columns)
    on_image = Maps(torch.stack([x, y]), 8).on_image(ori_shape, scale_factor)
    assert on_image.shape == (2, 50, 70)
    pixels = torch.arange(70) + 0.5
    # half a cell from the border nothing is extrapolated; sides are rounded to whole pixels
    torch.testing.assert_close(on_image[0, 25, 4:-4], pixels[4:-4], atol=0.5, rtol=0)
    torch.testing.assert_close(on_image[1, 9:-9, 30], pixels[9:41], atol=0.5, rtol=0)
    none = Maps(torch.zeros(0, rows, columns), 8)
    assert none.on_image(ori_shape, scale_factor).shape == (0, 50, 70)


def test_the_mean_of_scales_weighs_normalised_maps_alike_on_the_finest_grid():
    # the same image of 64 x 96 at its own size and at twice that, both read at stride 16
    coarse, fine = torch.zeros(2, 4, 6), torch.zeros(2, 8, 12)
    coarse[0], fine[0, 2, 3] = 0.2, 5.0
    mean = mean_maps([Maps(coarse, 16), Maps(fine, 16 / 2)], (64, 96))
    assert mean.stride == 8
    assert tuple(mean.values.shape) == (2, 8, 12)
    # one map is even, the other a single cell: their mean is .5 but for that cell
    expected = torch.full((8, 12), 0.5)
    expected[2, 3] = 1.0
    torch.testing.assert_close(mean.values[0], expected)
    assert (mean.values[1] == 0).all()


@pytest.mark.parametrize(('scale', 'stride'), [(0.5, 16), (1.5, 8), (2.0, 8), (4.0, 4)])
def test_the_mean_s_stride_divides_the_first_and_is_at_most_the_finest(scale, stride):
    own, other = torch.rand(1, 4, 6), torch.rand(1, *grid_size((64 * scale, 96 * scale), 16))
    mean = mean_maps([Maps(own, 16), Maps(other, 16 / scale)], (64, 96))
    assert mean.stride == stride
    assert tuple(mean.values.shape[1:]) == grid_size((64, 96), stride)


def test_maps_cover_an_image_whose_size_is_no_whole_number_of_cells():
    # 11 pixels are read as 16: two cells of 8 reach 10.67 of its pixels, which are rounded up.
    maps = Maps(torch.ones(1, 2, 2), 8).on_image((11, 11), (1.5, 1.5))
    torch.testing.assert_close(maps, torch.ones(1, 11, 11))
