import math

import pytest
import torch
from mmengine.structures import InstanceData

from mmlabelpenet.models import WeakMaskHead
from mmlabelpenet.models.heads import mask_head

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


@pytest.mark.parametrize('agnostic', [False, True])
@pytest.mark.parametrize('count', [0, 1, 2, 5])
def test_logits_are_those_of_mmdet_s_head(agnostic, count, monkeypatch):
    monkeypatch.setattr(mask_head, 'REGIONS_ON_CPU', 2)
    head = build_head(class_agnostic=agnostic)
    torch.nn.init.normal_(head.fcn.upsample.bias)
    cells = torch.randn(count, head.fusion.out_channels, 7, 7)
    torch.testing.assert_close(mask_head.fcn_logits(head.fcn, cells), head.fcn(cells))


def test_each_region_gets_the_mask_of_its_own_class():
    head, feats = build_head(), random_feats()
    logits = head(feats, [BOXES])
    own = head.label_logits(feats, [BOXES], torch.tensor([0, 2]))
    assert own[0].equal(logits[0, 0])
    assert own[1].equal(logits[1, 2])


def loss_with(logits, weights, targets, valid, monkeypatch):
    head = build_head()
    monkeypatch.setattr(head, 'label_logits', lambda *args: logits)
    return head.loss(None, [regions_of(weights)], [targets], [valid])['loss_mask']


def test_ignored_pixels_give_no_gradient_and_weights_scale_the_loss(monkeypatch):
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


def test_a_confident_mask_fills_its_box_whatever_the_size_of_the_image():
    head, ori_shape = build_head(), (128, 192)
    result = InstanceData(
        bboxes=2 * BOXES, labels=torch.tensor([0, 2]), scores=torch.tensor([0.9, 0.8])
    )
    masks = head.paste(torch.full((2, 14, 14), 1.0), result, ori_shape)
    assert tuple(masks.shape) == (2, 128, 192)
    assert masks.dtype == torch.bool
    expected = torch.zeros(128, 192, dtype=torch.bool)
    expected[16:80, 16:80] = True
    difference = (masks[0] ^ expected).sum()
    assert difference < 0.1 * expected.sum()
    assert result.bboxes.equal(2 * BOXES)


@pytest.mark.parametrize('agnostic', [False, True])
def test_no_detections_have_no_masks(agnostic):
    none = InstanceData(bboxes=torch.zeros(0, 4), labels=torch.zeros(0).long())
    masks = build_head(class_agnostic=agnostic).paste(torch.zeros(0, 14, 14), none, (20, 30))
    assert tuple(masks.shape) == (0, 20, 30)
