import numpy as np
import pytest
import torch
from mmdet.structures.mask import BitmapMasks
from mmengine.structures import InstanceData

from mmlabelpenet.models import TrueInstances
from mmlabelpenet.models.heads import MaskSupervision
from mmlabelpenet.registry import MODELS
from mmlabelpenet.structures import Step

from ..tiny import (
    NUM_CLASSES,
    boxes_in,
    evidence_of,
    image,
    losses_of,
    model_cfg,
    predictions_of,
    settle_statistics,
)

BOXES = [[8.0, 8, 40, 40], [50, 10, 90, 60]]


def ground_truth_of_image(height=64, width=96):
    masks = np.zeros((2, height, width), dtype=np.uint8)
    masks[0, 8:40, 8:40] = 1
    masks[1] = 255
    return InstanceData(
        bboxes=torch.tensor(BOXES),
        labels=torch.tensor([2, 0]),
        masks=BitmapMasks(masks, height, width),
    )


def evidence(**fields):
    proposals = InstanceData(bboxes=boxes_in(64, 96, 5))
    return evidence_of(64, 96, tags=torch.tensor([1.0, 0, 1]), proposals=proposals, **fields)


def propagated(evidence, **changes):
    """Evidence of one image after the label source."""
    return TrueInstances(NUM_CLASSES, **changes).propagate((), [evidence])[0]


def bound():
    """The small model, supervised by ground truth."""
    torch.manual_seed(0)
    model = MODELS.build(model_cfg() | dict(calibration=dict(type='TrueInstances')))
    settle_statistics(model.backbone)
    return model


def test_ground_truth_boxes_and_masks_are_the_pseudo_instances():
    one = propagated(evidence(ground_truth=ground_truth_of_image()), stride=4)
    pseudo = one.pseudo_instances
    assert pseudo.bboxes.tolist() == BOXES
    assert pseudo.labels.tolist() == [2, 0]
    assert pseudo.weights.tolist() == [1, 1]
    expected = torch.zeros(16, 24)
    expected[2:10, 2:10] = 1
    assert pseudo.masks[0].equal(expected)
    assert one.instance_stride == 4


def test_unknown_pixels_are_ignored():
    one = propagated(evidence(ground_truth=ground_truth_of_image()))
    region = InstanceData(
        bboxes=torch.tensor(BOXES), labels=torch.tensor([2, 0]), assigned=torch.tensor([0, 1])
    )
    supervision = MaskSupervision(NUM_CLASSES, 0.5, 0.5)
    target, decided = supervision.targets(one.instance_maps('masks'), region, 8)
    assert decided[0].all()
    assert target[0].all()
    assert not decided[1].any()


def test_an_image_without_ground_truth_gets_no_pseudo_instances():
    one = propagated(evidence())
    assert len(one.pseudo_instances) == 0
    assert one.pseudo_instances.masks.shape == (0, 32, 48)


def test_all_stages_learn_from_the_ground_truth_alone():
    model = bound().train()
    one = image()
    one[1].gt_instances = ground_truth_of_image()
    losses = losses_of(model, one)
    assert {name.split('.')[0] for name in losses} == set(model.cascade)
    assert all(value.isfinite() for value in losses.values())
    assert losses['segmentation.loss_mask'] > 0
    moved = image()
    moved[1].gt_instances = ground_truth_of_image()
    moved[1].gt_instances.bboxes = moved[1].gt_instances.bboxes + 6
    assert losses_of(model, moved)['detection.loss_bbox'] != losses['detection.loss_bbox']
    assert len(predictions_of(model, image())[0].pred_instances) > 0


def test_the_last_stage_learns_ground_truth_masks_not_those_of_the_stage_before():
    model = bound().train()
    one = image()
    one[1].gt_instances = ground_truth_of_image()
    before = losses_of(model, one)
    with torch.no_grad():
        for weight in model.cascade['refinement'].parameters():
            weight.add_(torch.randn_like(weight))
    after = losses_of(model, one)
    assert after['refinement.loss_mask'] != before['refinement.loss_mask']
    assert after['segmentation.loss_mask'].item() == pytest.approx(
        before['segmentation.loss_mask'].item()
    )


def test_it_reads_ground_truth_and_its_labels_are_not_cached():
    source = TrueInstances(NUM_CLASSES)
    assert source.reads_ground_truth
    assert not source.validates
    assert not source.labels_cacheable(Step(learning=('detection',)))
    assert source.loss((), [evidence()]) == {}
