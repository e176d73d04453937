import pytest
import torch
from mmengine.structures import InstanceData

from mmlabelpenet.models import DetectionStage
from mmlabelpenet.structures import Maps

from ..tiny import (
    BOX_HEAD,
    NUM_CLASSES,
    boxes_in,
    evidence_of,
    pseudo_of,
    random_feats,
    with_feats,
)

PSEUDO = pseudo_of([[10.0, 10, 50, 50]], [1], [0.8])
OICR = BOX_HEAD | dict(num_branches=3, num_samples=None)


def image_evidence(pseudo=PSEUDO, **fields):
    return evidence_of(
        64,
        96,
        tags=torch.tensor([0.0, 1.0, 0.0]),
        proposals=InstanceData(bboxes=boxes_in(64, 96, 9)),
        pseudo_instances=pseudo,
        **fields,
    )


def test_one_branch_has_plain_names():
    losses = DetectionStage(NUM_CLASSES, BOX_HEAD).loss(random_feats(), [image_evidence()])
    assert losses.keys() == {'loss_cls', 'loss_bbox'}


def test_branches_supervise_each_other_and_the_last_one_moves_boxes():
    stage = DetectionStage(NUM_CLASSES, OICR)
    losses = stage.loss(random_feats(), [image_evidence()])
    assert losses.keys() == {'loss_cls_0', 'loss_cls_1', 'loss_cls_2', 'loss_bbox_2'}
    assert all(loss.isfinite() for loss in losses.values())


def test_a_further_branch_is_supervised_by_what_the_one_before_finds():
    stage = DetectionStage(NUM_CLASSES, OICR | dict(num_branches=2))
    regions = stage.box_head.sample([boxes_in(64, 96, 9)], [PSEUDO])
    logits = torch.zeros(10, NUM_CLASSES + 1)
    logits[6, 1] = 5.0  # the tagged class
    logits[3, 0] = 9.0  # not in the image
    refined = stage._refine(regions, logits, [image_evidence()])[0]
    found = regions[0].bboxes[6]
    assert refined.labels[6] == 1
    assert refined.targets[6].equal(found)
    assert refined.weights[6].item() == pytest.approx(logits.softmax(1)[6, 1].item())
    assert 0 not in refined.labels.tolist()


def test_a_branch_does_not_learn_from_the_loss_of_the_next_one():
    stage = DetectionStage(NUM_CLASSES, OICR | dict(num_branches=2))
    stage.loss(random_feats(), [image_evidence()])['loss_cls_1'].backward()
    first, second = stage.box_head.fc_cls.weight.grad.unflatten(0, (2, NUM_CLASSES + 1))
    assert (first == 0).all()
    assert (second != 0).any()


def test_branches_need_all_proposals():
    with pytest.raises(ValueError, match='num_samples=None'):
        DetectionStage(NUM_CLASSES, BOX_HEAD | dict(num_branches=2))


def extend_with(found, known=PSEUDO, **changes):
    stage = DetectionStage(NUM_CLASSES, BOX_HEAD, extend_score=0.5, **changes)
    found.weights = found.scores
    return InstanceData.cat([known, found[stage._is_new(image_evidence(known), found)]])


@pytest.mark.parametrize(
    ('bbox', 'label', 'score', 'added'),
    [
        ([60.0, 10, 90, 40], 1, 0.6, True),
        ([60.0, 10, 90, 40], 1, 0.4, False),  # not confident
        ([10.0, 10, 50, 45], 1, 0.9, False),  # known already
        ([10.0, 10, 50, 45], 2, 0.9, True),  # another class
        ([40.0, 10, 80, 50], 1, 0.9, True),  # IoU 1/7
    ],
)
def test_confident_detections_in_other_places_are_added(bbox, label, score, added):
    found = InstanceData(
        bboxes=torch.tensor([bbox]), labels=torch.tensor([label]), scores=torch.tensor([score])
    )
    extended = extend_with(found)
    assert len(extended) == 1 + added
    assert extended.bboxes[0].equal(PSEUDO.bboxes[0])
    if added:
        assert extended.weights[1].item() == pytest.approx(score)


def test_nothing_extends_where_nothing_is_known():
    assert len(extend_with(pseudo_of([], []))) == 1
    found = pseudo_of([[60.0, 10, 90, 40]], [1])
    assert len(extend_with(found, known=pseudo_of([], []))) == 0


def test_propagate_adds_only_tagged_classes():
    stage = DetectionStage(NUM_CLASSES, BOX_HEAD, extend_score=0.0, extend_iou=1.0).eval()
    pseudo = PSEUDO.clone()
    pseudo.attention = torch.rand(1, 16, 24)
    attention = Maps(torch.rand(NUM_CLASSES, 4, 6), 16)
    evidence = image_evidence(pseudo, instance_stride=4, attention=attention)
    after = stage.propagate(random_feats(), [evidence])[0]
    assert len(after.pseudo_instances) > 1
    assert tuple(after.pseudo_instances.attention.shape[1:]) == (16, 24)
    assert set(after.pseudo_instances.labels.tolist()) == {1}
    assert not after.pseudo_instances.bboxes.requires_grad


def test_propagate_leaves_all_as_it_is_by_default():
    evidence = [image_evidence()]
    assert DetectionStage(NUM_CLASSES, BOX_HEAD).propagate(None, evidence) is evidence


def test_every_class_has_a_detection():
    stage = DetectionStage(NUM_CLASSES, BOX_HEAD, test_cfg=dict(score_threshold=1.0)).eval()
    result = stage.predict(random_feats(), [image_evidence()])[0]
    assert sorted(result.labels.tolist()) == [0, 1, 2]


def test_results_are_in_pixels_of_the_original_image_and_detections_in_those_of_the_input():
    stage = DetectionStage(NUM_CLASSES, BOX_HEAD).eval()
    metainfo = dict(ori_shape=(128, 192), scale_factor=(0.5, 0.25))
    evidence, feats = [image_evidence(metainfo=metainfo)], random_feats()
    [result], [inferred] = stage.predict(feats, evidence), stage.infer(feats, evidence)
    scale = torch.tensor([2.0, 4, 2, 4])
    torch.testing.assert_close(result.bboxes, inferred.detections.bboxes * scale)
    assert 'detections' not in evidence[0]


@pytest.fixture
def detector():
    """A stage that finds class 1 in channel 0 of one map, and an image with an object there."""
    roi_features = dict(
        fusion=dict(in_channels=(2,), strides=(8,), out_channels=None),
        roi_size=4,
        fc_channels=2,
        num_fcs=1,
    )
    stage = DetectionStage(NUM_CLASSES, dict(roi_features=roi_features))
    layer, head = stage.box_head.roi_features.fcs[0], stage.box_head.fc_cls
    with torch.no_grad():
        for part in (layer.weight, layer.bias, head.weight, head.bias):
            part.zero_()
        layer.weight[0, :16] = 1.0  # channel 0
        layer.weight[1, 16:] = 1.0
        head.weight[1, 0] = 1.0
        head.weight[NUM_CLASSES, 1] = 0.2
    feats = torch.full((1, 2, 8, 12), 0.01)
    feats[0, 1] = 0.3
    feats[0, 0, 2:6, 2:6] = 1.0
    return stage.eval(), (feats,)


def agreement_with(detector, bbox, rows, columns, label=1):
    stage, feats = detector
    instances = pseudo_of([bbox], [label])
    instances.masks = torch.zeros(1, 16, 24)
    instances.masks[0, slice(*rows), slice(*columns)] = 0.9
    return stage.agreement(feats, instances, 4).item()


def test_the_mask_of_an_object_agrees_more_than_the_same_mask_moved_away(detector):
    box = [8.0, 8, 56, 56]
    right = agreement_with(detector, box, (4, 12), (4, 12))
    assert right > 0.8
    assert agreement_with(detector, box, (4, 12), (9, 17)) < 0.6 * right
    assert agreement_with(detector, [64.0, 8, 96, 56], (4, 12), (16, 24)) < 0.3 * right


def test_another_class_does_not_agree(detector):
    assert agreement_with(detector, [8.0, 8, 56, 56], (4, 12), (4, 12), label=2) < 0.1


def test_validation_adds_agreement_to_found_and_to_pseudo_instances(detector):
    stage, feats = detector
    pseudo, found = pseudo_of([[8.0, 8, 56, 56]], [1]), pseudo_of([[64.0, 8, 96, 56]] * 2, [1, 1])
    pseudo.attention = torch.rand(1, 16, 24)
    found.masks = torch.rand(2, 16, 24)
    evidence = image_evidence(pseudo, feats=feats, found=found, instance_stride=4)
    after = stage.validate(feats, [evidence])[0]
    assert after.found.agreement.shape == (2,)
    assert after.pseudo_instances.agreement.shape == (1,)
    assert not after.pseudo_instances.agreement.requires_grad
    assert 'agreement' not in evidence.found
    evidence.found = found[:0]
    assert stage.validate(feats, [evidence])[0].found.agreement.shape == (0,)


def test_validation_reads_each_image_s_own_features(detector):
    stage, (feats,) = detector
    batch = (torch.cat([feats.flip(-1), feats]),)  # the first image has its object elsewhere
    pseudo = pseudo_of([[8.0, 8, 56, 56]], [1])
    pseudo.attention = torch.zeros(1, 16, 24)
    pseudo.attention[0, 4:12, 4:12] = 1.0
    evidence = [image_evidence(pseudo, found=pseudo[:0], instance_stride=4) for _ in range(2)]
    other, own = stage.validate(batch, with_feats(batch, evidence))
    pseudo.masks = pseudo.attention
    expected = stage.agreement((feats,), pseudo, 4)
    torch.testing.assert_close(own.pseudo_instances.agreement, expected)
    assert other.pseudo_instances.agreement < 0.6 * expected


def test_agreement_is_the_same_under_autocast(detector):
    plain = agreement_with(detector, [8.0, 8, 56, 56], (4, 12), (4, 12))
    with torch.autocast('cpu', dtype=torch.bfloat16):
        mixed = agreement_with(detector, [8.0, 8, 56, 56], (4, 12), (4, 12))
    assert mixed == pytest.approx(plain, abs=0.02)


def test_max_proposals_are_drawn_and_every_branch_reads_those():
    stage = DetectionStage(NUM_CLASSES, OICR, max_proposals=4)
    sizes = []
    stage.box_head.roi_features.register_forward_hook(lambda _, args, out: sizes.append(len(out)))
    stage.loss(random_feats(), [image_evidence()])
    assert sizes == [4 + len(PSEUDO)]
