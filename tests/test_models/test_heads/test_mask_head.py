import math

import pytest
import torch
from mmengine.structures import InstanceData

from mmlabelpenet.models import WeakMaskHead
from mmlabelpenet.models.heads.mask_head import shares_within_better

from ..tiny import MASK_HEAD, NUM_CLASSES, evidence_of, random_feats

BOXES = torch.tensor([[8.0, 8, 40, 40], [30, 10, 80, 60]])


def build_head(**changes):
    return WeakMaskHead(NUM_CLASSES, **(MASK_HEAD | changes))


def regions_of(weights, labels=(0, 2)):
    return InstanceData(bboxes=BOXES, labels=torch.tensor(labels), weights=torch.tensor(weights))


@pytest.mark.parametrize(('agnostic', 'channels'), [(False, NUM_CLASSES), (True, 1)])
def test_a_mask_has_twice_the_side_of_the_grid(agnostic, channels):
    head = build_head(class_agnostic=agnostic)
    assert tuple(head(random_feats(), [BOXES]).shape) == (2, channels, 14, 14)
    assert tuple(head.label_logits(random_feats(), [BOXES], torch.tensor([0, 2])).shape) == (
        2, 14, 14,
    )  # fmt: skip


def test_each_region_is_seen_by_its_own_class():
    head, feats = build_head(), random_feats()
    logits = head(feats, [BOXES])
    own = head.label_logits(feats, [BOXES], torch.tensor([0, 2]))
    assert own[0].equal(logits[0, 0])
    assert own[1].equal(logits[1, 2])


def loss_with(logits, weights, targets, valid, monkeypatch):
    head = build_head()
    monkeypatch.setattr(head, 'label_logits', lambda *args: logits)
    return head.loss(None, [regions_of(weights)], [targets], [valid])['loss_mask']


def test_open_pixels_give_no_gradient_and_weights_scale(monkeypatch):
    logits = torch.zeros(2, 4, 4, requires_grad=True)
    targets, valid = torch.ones(2, 4, 4), torch.ones(2, 4, 4, dtype=torch.bool)
    valid[0, :2] = False
    loss = loss_with(logits, [1.0, 0.5], targets, valid, monkeypatch)
    # each region's mean is log 2; two regions count
    assert loss.item() == pytest.approx(math.log(2) * 1.5 / 2)
    loss.backward()
    assert (logits.grad[0, :2] == 0).all()
    assert (logits.grad[0, 2:] < 0).all()
    # half the weight, but twice the decided pixels
    torch.testing.assert_close(logits.grad[1], logits.grad[0, 2:].mean().expand(4, 4) / 4)


def test_regions_of_weight_zero_do_not_count(monkeypatch):
    targets, valid = torch.ones(2, 4, 4), torch.ones(2, 4, 4, dtype=torch.bool)
    logits = torch.stack([torch.zeros(4, 4), torch.full((4, 4), -50.0)])
    loss = loss_with(logits, [1.0, 0.0], targets, valid, monkeypatch)
    assert loss.item() == pytest.approx(math.log(2))
    none = loss_with(logits, [0.0, 0.0], targets, valid, monkeypatch)
    assert none.item() == 0


def test_pasting_brings_boxes_and_masks_to_the_image_and_leaves_the_given_ones():
    head = build_head().eval()
    torch.nn.init.constant_(head.fcn.conv_logits.bias, 10.0)
    result = InstanceData(
        bboxes=BOXES.clone(), labels=torch.tensor([0, 2]), scores=torch.tensor([0.9, 0.8])
    )
    one = evidence_of(64, 96, metainfo=dict(ori_shape=(128, 192), scale_factor=(0.5, 0.5)))
    with torch.no_grad():
        pasted = head.paste(random_feats(), [result], [one])[0]
    assert pasted.bboxes.equal(BOXES * 2)
    assert result.bboxes.equal(BOXES)
    assert tuple(pasted.masks.shape) == (2, 128, 192)
    assert pasted.masks.dtype == torch.bool
    # a sure mask fills its box
    expected = torch.zeros(128, 192, dtype=torch.bool)
    expected[16:80, 16:80] = True
    difference = (pasted.masks[0] ^ expected).sum()
    assert difference < 0.1 * expected.sum()


@pytest.mark.parametrize('refine', [None, dict(type='PixelAffinity')])
def test_no_detections_paste_to_no_masks(refine):
    empty = InstanceData(
        bboxes=torch.zeros(0, 4), labels=torch.zeros(0).long(), scores=torch.zeros(0)
    )
    head, one = build_head(refine=refine).eval(), evidence_of(20, 30, image=torch.rand(3, 20, 30))
    with torch.no_grad():
        pasted = head.paste(random_feats(), [empty], [one])[0]
    assert tuple(pasted.masks.shape) == (0, 20, 30)


@pytest.fixture
def square():
    """An image, seen at half its size, of a red square on blue, and the square's mask."""
    seen = torch.zeros(3, 64, 96)
    seen[2] = 1.0
    seen[:, 16:48, 32:64] = torch.tensor([1.0, 0, 0])[:, None, None]
    mask = torch.zeros(128, 192, dtype=torch.bool)
    mask[32:96, 64:128] = True
    metainfo = dict(ori_shape=(128, 192), scale_factor=(0.5, 0.5))
    return evidence_of(64, 96, image=seen, metainfo=metainfo), mask


def two_of_it():
    """The same box twice, 20 image pixels beyond the square, and a mask that misses its edges."""
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


def test_the_best_masks_run_up_to_the_edges_of_colour(square):
    one, mask = square
    soft, result = two_of_it()
    head = build_head(refine=dict(type='PixelAffinity', steps=20), refine_best=1)
    fitted, plain = head.masks(soft, result, one)
    assert plain.equal(head.plain_masks(soft[1:], result[1:], (128, 192))[0])
    assert plain.equal(build_head().masks(soft, result, one)[0])
    assert overlap(fitted, mask) > 0.9 > 0.8 > overlap(plain, mask)
    # a box ends a mask, whatever the colours say
    result.bboxes[0, 2] = 100
    cut = head.masks(soft, result, one)[0]
    assert cut[60, 98]
    assert not cut[:, 100:].any()


@pytest.mark.parametrize('share', [0.0, 0.5])
def test_boxes_go_towards_the_tight_boxes_of_their_masks(square, share):
    one, _ = square
    soft, result = two_of_it()
    soft[1] = 0  # an empty mask leaves its box
    before = result.bboxes.clone()
    head = build_head(refine=dict(type='PixelAffinity', steps=20), tighten=share)
    after = head.finish(soft, result, one)
    assert result.bboxes.equal(before)
    assert after.bboxes[1].equal(before[1])
    rows, columns = after.masks[0].any(1).nonzero(), after.masks[0].any(0).nonzero()
    tight = torch.cat([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]).float()
    expected = before[0] + share * (tight - before[0])
    torch.testing.assert_close(after.bboxes[0], expected)
    assert (tight - before[0]).abs().min() > 5


def test_masks_of_a_flipped_view_are_those_of_the_image(square):
    one, _ = square
    # not symmetric: else a flip would show nothing
    one.image[:, :, 64:80] = torch.tensor([0, 1.0, 0])[:, None, None]
    soft, result = two_of_it()
    head = build_head(refine=dict(type='PixelAffinity'))
    expected = head.masks(soft, result, one)
    one.image = one.image.flip(-1)
    assert not head.masks(soft, result, one).equal(expected)
    one.set_metainfo(dict(flip=True))
    assert head.masks(soft, result, one).equal(expected)


def test_shares_count_better_masks_of_the_same_class_alone():
    masks = torch.zeros(4, 40, 60, dtype=torch.bool)
    masks[0, :, :30] = True  # the better half
    masks[1, :20, :20] = True  # within it
    masks[2, :20, 20:40] = True  # half of it within the first
    masks[3, :20, :40] = True  # within others, but of another class
    labels = torch.tensor([1, 1, 1, 0])
    shares = shares_within_better(masks, labels)
    assert shares.tolist() == pytest.approx([0, 1, 0.5, 0])
    # the order says which is better: now the whole lies within its part by a third
    assert shares_within_better(masks[[1, 0]], labels[:2]).tolist() == pytest.approx([0, 1 / 3])
    coarse = shares_within_better(masks, labels, cells=30)
    torch.testing.assert_close(coarse, shares, atol=0.05, rtol=0)
    assert shares_within_better(masks[:0], labels[:0]).shape == (0,)


def test_parts_of_a_better_detection_lose_a_share_of_their_score(square):
    one, _ = square
    result = InstanceData(
        bboxes=torch.tensor([[60.0, 30, 130, 100], [70, 40, 100, 70], [0, 0, 30, 30]]),
        labels=torch.tensor([0, 0, 0]),
        scores=torch.tensor([0.9, 0.8, 0.7]),
    )
    soft = torch.ones(3, 14, 14)
    after = build_head(part_penalty=0.5).finish(soft, result, one)
    assert after.scores.tolist() == pytest.approx([0.9, 0.7, 0.4], abs=1e-2)
    assert after.bboxes.equal(result.bboxes[[0, 2, 1]])
    assert after.masks[1, 10, 10]
    assert result.scores.tolist() == pytest.approx([0.9, 0.8, 0.7])
    plain = build_head().finish(soft, result, one)
    assert plain.scores.equal(result.scores)
