import math

import pytest
import torch
from mmengine.structures import InstanceData

from mmlabelpenet.models import WeakMaskHead

from ..tiny import MASK_HEAD, NUM_CLASSES, random_feats

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


def test_pasting_brings_boxes_and_masks_to_the_photo_and_leaves_the_given_ones():
    head = build_head().eval()
    torch.nn.init.constant_(head.fcn.conv_logits.bias, 10.0)
    result = InstanceData(
        bboxes=BOXES.clone(), labels=torch.tensor([0, 2]), scores=torch.tensor([0.9, 0.8])
    )
    meta = dict(ori_shape=(128, 192), scale_factor=(0.5, 0.5))
    with torch.no_grad():
        pasted = head.paste(random_feats(), [result], [meta])[0]
    assert pasted.bboxes.equal(BOXES * 2)
    assert result.bboxes.equal(BOXES)
    assert tuple(pasted.masks.shape) == (2, 128, 192)
    assert pasted.masks.dtype == torch.bool
    # a sure mask fills its box
    expected = torch.zeros(128, 192, dtype=torch.bool)
    expected[16:80, 16:80] = True
    difference = (pasted.masks[0] ^ expected).sum()
    assert difference < 0.1 * expected.sum()


def test_no_detections_paste_to_no_masks():
    empty = InstanceData(
        bboxes=torch.zeros(0, 4), labels=torch.zeros(0).long(), scores=torch.zeros(0)
    )
    meta = dict(ori_shape=(20, 30), scale_factor=(1.0, 1.0))
    with torch.no_grad():
        pasted = build_head().eval().paste(random_feats(), [empty], [meta])[0]
    assert tuple(pasted.masks.shape) == (0, 20, 30)
