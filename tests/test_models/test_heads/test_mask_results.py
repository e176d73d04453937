import pytest
import torch
from mmengine.structures import InstanceData

from mmlabelpenet.models import RefinementStage, WeakMaskHead
from mmlabelpenet.models.detectors import paint_semantic_map
from mmlabelpenet.models.heads import MaskResults, max_containment
from mmlabelpenet.structures import Maps, pieces
from mmlabelpenet.structures.maps import paste_maps
from mmlabelpenet.utils import to_rles

from ..tiny import MASK_HEAD, NUM_CLASSES, evidence_of, pseudo_of, random_feats

HEAD = WeakMaskHead(NUM_CLASSES, **MASK_HEAD)
BOXES = torch.tensor([[8.0, 8, 40, 40], [30, 10, 80, 60]])


def stage_with(**results):
    """A stage that predicts masks, and finishes its results with some options."""
    return RefinementStage(NUM_CLASSES, MASK_HEAD, mask_results=results).eval()


def test_results_lie_on_the_original_image_and_the_given_ones_stay():
    stage = stage_with()
    torch.nn.init.constant_(stage.mask_head.fcn.conv_logits.bias, 10.0)
    result = pseudo_of(BOXES, [0, 2], [0.9, 0.8])
    one = evidence_of(64, 96, metainfo=dict(ori_shape=(128, 192), scale_factor=(0.5, 0.5)))
    with torch.no_grad():
        pasted = stage.with_masks(random_feats(), [result], [one])[0]
    assert pasted.bboxes.equal(BOXES * 2)
    assert result.bboxes.equal(BOXES)
    assert 'masks' not in result
    assert tuple(pasted.masks.shape) == (2, 128, 192)
    assert pasted.masks.dtype == torch.bool
    # a confident mask fills its box
    expected = torch.zeros(128, 192, dtype=torch.bool)
    expected[16:80, 16:80] = True
    difference = (pasted.masks[0] ^ expected).sum()
    assert difference < 0.1 * expected.sum()


@pytest.mark.parametrize('refine', [None, dict(type='PixelAffinity')])
def test_no_detections_have_no_masks(refine):
    one = evidence_of(20, 30, image=torch.rand(3, 20, 30))
    with torch.no_grad():
        finished = stage_with(refine=refine).with_masks(random_feats(), [pseudo_of([], [])], [one])
    assert tuple(finished[0].masks.shape) == (0, 20, 30)


@pytest.fixture
def square():
    """A red square on blue in an image that is read at half its size, and the square's mask."""
    image = torch.zeros(3, 64, 96)
    image[2] = 1.0
    image[:, 16:48, 32:64] = torch.tensor([1.0, 0, 0])[:, None, None]
    mask = torch.zeros(128, 192, dtype=torch.bool)
    mask[32:96, 64:128] = True
    metainfo = dict(ori_shape=(128, 192), scale_factor=(0.5, 0.5))
    return evidence_of(64, 96, image=image, metainfo=metainfo), mask


def two_detections():
    """The same box twice, 20 pixels larger than the square, with masks that miss its edges."""
    result = InstanceData(
        bboxes=torch.tensor([[44.0, 12, 148, 116]]).repeat(2, 1),
        labels=torch.tensor([0, 2]),
        scores=torch.tensor([0.9, 0.8]),
    )
    x = torch.linspace(-1, 1, 14).abs()
    distance = torch.maximum(x[:, None].expand(14, 14), x[None].expand(14, 14))
    return (1 - 0.55 * distance).repeat(2, 1, 1), result


def overlap(one, other):
    return (one & other).sum() / (one | other).sum()


def test_the_best_masks_are_refined_up_to_the_edges_of_colour(square):
    one, mask = square
    soft, result = two_detections()
    results = MaskResults(refine=dict(type='PixelAffinity', steps=20), refine_best=1)
    refined, plain = results.finish(HEAD, soft, result, one).masks
    assert plain.equal(HEAD.paste(soft[1:], result[1:], (128, 192))[0])
    assert plain.equal(MaskResults().finish(HEAD, soft, result, one).masks[0])
    assert overlap(refined, mask) > 0.9 > 0.8 > overlap(plain, mask)
    # a box ends a mask, whatever the colours are
    result.bboxes[0, 2] = 100
    cut = results.finish(HEAD, soft, result, one).masks[0]
    assert cut[60, 98]
    assert not cut[:, 100:].any()


def test_refined_maps_lie_on_the_grid_of_the_last_refiner(square):
    one, mask = square
    soft, result = two_detections()
    boxes = result.bboxes / 2
    plain = MaskResults().refined(soft, boxes, one, 8)
    assert plain.stride == 8
    assert plain.values.equal(paste_maps(soft, boxes / 8, (8, 12)))
    chain = [dict(type='PixelAffinity', stride=stride, steps=20) for stride in (4, 2)]
    maps = MaskResults(refine=chain).refined(soft, boxes, one, 8)
    assert maps.stride == 2
    assert tuple(maps.values.shape) == (2, 32, 48)
    assert overlap(maps.values[0] >= 0.5, mask[::4, ::4]) > 0.9


class Given(torch.nn.Module):
    """A refiner whose result is known."""

    def __init__(self, maps):
        super().__init__()
        self.maps, self.stride = maps, maps.stride

    def forward(self, evidence, maps):
        return self.maps


def test_refined_masks_lose_islands_and_holes(square):
    one, _ = square
    whole = Maps(torch.zeros(2, 32, 48), 4)
    whole.values[:, 4:20, 4:20] = 0.9
    whole.values[0, 8:10, 8:10] = 0.2  # a hole
    whole.values[0, 24:26, 40:42] = 0.8  # an island
    soft, result = two_detections()
    results = MaskResults(refine=dict(type='PixelAffinity'), least_part=0.2)
    results.refiners = torch.nn.ModuleList([Given(whole)])
    maps = results.refined(soft, result.bboxes, one, 4).values
    assert maps[1].equal(whole.values[1])
    assert (maps[0] >= 0.5).equal(whole.values[1] >= 0.5)
    # the edge stays soft
    assert maps[0, 4, 4] == whole.values[0, 4, 4]


@pytest.mark.parametrize('share', [0.0, 0.5])
def test_boxes_move_towards_the_tight_boxes_of_their_masks(square, share):
    one, _ = square
    soft, result = two_detections()
    soft[1] = 0  # an empty mask leaves its box
    before = result.bboxes.clone()
    results = MaskResults(refine=dict(type='PixelAffinity', steps=20), tighten=share)
    after = results.finish(HEAD, soft, result, one)
    assert result.bboxes.equal(before)
    assert after.bboxes[1].equal(before[1])
    rows, columns = after.masks[0].any(1).nonzero(), after.masks[0].any(0).nonzero()
    tight = torch.cat([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]).float()
    expected = before[0] + share * (tight - before[0])
    torch.testing.assert_close(after.bboxes[0], expected)
    assert (tight - before[0]).abs().min() > 5


def test_masks_of_a_flipped_image_are_those_of_the_image(square):
    one, _ = square
    # not symmetric: else a flip would show nothing
    one.image[:, :, 64:80] = torch.tensor([0, 1.0, 0])[:, None, None]
    soft, result = two_detections()
    results = MaskResults(refine=dict(type='PixelAffinity'))
    expected = results.finish(HEAD, soft, result, one).masks
    mirrored = one.image.flip(-1)
    one.image = mirrored
    assert not results.finish(HEAD, soft, result, one).masks.equal(expected)
    one.set_metainfo(dict(flip=True))
    assert results.finish(HEAD, soft, result, one).masks.equal(expected)
    assert one.image is mirrored


def test_containment_counts_better_masks_of_the_same_class_alone():
    masks = torch.zeros(4, 40, 60, dtype=torch.bool)
    masks[0, :, :30] = True  # the better half
    masks[1, :20, :20] = True  # within it
    masks[2, :20, 20:40] = True  # half of it within the first
    masks[3, :20, :40] = True  # within others, but of another class
    labels = torch.tensor([1, 1, 1, 0])
    shares = max_containment(masks, labels)
    assert shares.tolist() == pytest.approx([0, 1, 0.5, 0])
    # the first one is the better: now a third of the larger mask lies inside the smaller one
    assert max_containment(masks[[1, 0]], labels[:2]).tolist() == pytest.approx([0, 1 / 3])
    coarse = max_containment(masks, labels, cells=30)
    torch.testing.assert_close(coarse, shares, atol=0.05, rtol=0)
    assert max_containment(masks[:0], labels[:0]).shape == (0,)


def test_parts_of_a_better_detection_lose_a_share_of_their_score(square):
    one, _ = square
    result = InstanceData(
        bboxes=torch.tensor([[60.0, 30, 130, 100], [70, 40, 100, 70], [0, 0, 30, 30]]),
        labels=torch.tensor([0, 0, 0]),
        scores=torch.tensor([0.9, 0.8, 0.7]),
    )
    soft = torch.ones(3, 14, 14)
    after = MaskResults(part_penalty=0.5).finish(HEAD, soft, result, one)
    assert after.scores.tolist() == pytest.approx([0.9, 0.7, 0.4], abs=1e-2)
    assert after.bboxes.equal(result.bboxes[[0, 2, 1]])
    assert after.masks[1, 10, 10]
    assert result.scores.tolist() == pytest.approx([0.9, 0.8, 0.7])
    plain = MaskResults().finish(HEAD, soft, result, one)
    assert plain.scores.equal(result.scores)


@pytest.mark.parametrize('refine', [None, dict(type='PixelAffinity', steps=20)])
def test_masks_of_large_images_are_the_same_as_run_lengths(square, refine, monkeypatch):
    one, _ = square
    soft, result = two_detections()
    soft, result = soft.repeat(3, 1, 1), InstanceData.cat([result, result, result])
    result.bboxes = result.bboxes + 8 * torch.arange(6)[:, None]
    result.scores = torch.linspace(0.9, 0.3, 6)
    results = MaskResults(refine=refine, refine_best=3, part_penalty=0.5, tighten=0.5)
    expected = results.finish(HEAD, soft, result, one)
    # two masks at a time, and all of them are too large
    monkeypatch.setattr(pieces, 'PIECE_PIXELS', 2 * 128 * 192)
    assert results.finish(HEAD, soft, result, one).masks.equal(expected.masks)
    monkeypatch.setattr(pieces, 'DENSE_PIXELS', 5 * 128 * 192)
    found = results.finish(HEAD, soft, result, one)
    assert found.masks == to_rles(expected.masks)
    for name in ('bboxes', 'labels', 'scores'):
        assert found[name].equal(expected[name])
    size = (128, 192)
    assert paint_semantic_map(found, size=size).equal(paint_semantic_map(expected))
    assert paint_semantic_map(found[:0], size=size).equal(torch.zeros(size, dtype=torch.long))
