import pytest
import torch
from mmengine.structures import InstanceData

from mmlabelpenet.models import DetectionStage

from ..tiny import BOX_HEAD, NUM_CLASSES, boxes_in, evidence_of, pseudo_of, random_feats

PSEUDO = pseudo_of([[10.0, 10, 50, 50]], [1], [0.8])
OICR = BOX_HEAD | dict(num_branches=3, num_samples=None)


def photo_evidence(pseudo=PSEUDO):
    return evidence_of(
        64,
        96,
        tags=torch.tensor([0.0, 1.0, 0.0]),
        proposals=InstanceData(bboxes=boxes_in(64, 96, 9)),
        pseudo_instances=pseudo,
    )


def test_one_branch_has_plain_names():
    losses = DetectionStage(NUM_CLASSES, BOX_HEAD).loss(random_feats(), [photo_evidence()])
    assert losses.keys() == {'loss_cls', 'loss_bbox'}


def test_branches_teach_each_other_and_the_last_moves_boxes():
    stage = DetectionStage(NUM_CLASSES, OICR)
    losses = stage.loss(random_feats(), [photo_evidence()])
    assert losses.keys() == {'loss_cls_0', 'loss_cls_1', 'loss_cls_2', 'loss_bbox_2'}
    assert all(loss.isfinite() for loss in losses.values())


def test_a_further_branch_learns_what_the_one_before_finds():
    stage = DetectionStage(NUM_CLASSES, OICR | dict(num_branches=2))
    regions = [stage.box_head.sample(boxes_in(64, 96, 9), PSEUDO)]
    logits = torch.zeros(10, NUM_CLASSES + 1)
    logits[6, 1] = 5.0  # the tagged class
    logits[3, 0] = 9.0  # not in the photo
    refined = stage._refine(regions, logits, [photo_evidence()])[0]
    found = regions[0].bboxes[6]
    assert refined.labels[6] == 1
    assert refined.targets[6].equal(found)
    assert refined.weights[6].item() == pytest.approx(logits.softmax(1)[6, 1].item())
    assert 0 not in refined.labels.tolist()


def test_branches_need_all_proposals():
    with pytest.raises(ValueError, match='num_samples=None'):
        DetectionStage(NUM_CLASSES, BOX_HEAD | dict(num_branches=2))


def extend_with(found, known=PSEUDO, **changes):
    stage = DetectionStage(NUM_CLASSES, BOX_HEAD, extend_score=0.5, **changes)
    return stage._extend(known, found)


@pytest.mark.parametrize(
    ('bbox', 'label', 'score', 'added'),
    [
        ([60.0, 10, 90, 40], 1, 0.6, True),
        ([60.0, 10, 90, 40], 1, 0.4, False),  # unsure
        ([10.0, 10, 50, 45], 1, 0.9, False),  # known already
        ([10.0, 10, 50, 45], 2, 0.9, True),  # another class
        ([40.0, 10, 80, 50], 1, 0.9, True),  # IoU 1/7
    ],
)
def test_sure_detections_elsewhere_extend_the_pseudo_instances(bbox, label, score, added):
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
    evidence = photo_evidence(pseudo)
    evidence.set_metainfo(dict(attention_stride=16, instance_stride=4))
    evidence.attention = torch.rand(NUM_CLASSES, 4, 6)
    after = stage.propagate(random_feats(), [evidence])[0]
    assert len(after.pseudo_instances) > 1
    assert tuple(after.pseudo_instances.attention.shape[1:]) == (16, 24)
    assert set(after.pseudo_instances.labels.tolist()) == {1}
    assert not after.pseudo_instances.bboxes.requires_grad


def test_propagate_leaves_all_as_it_is_by_default():
    evidence = [photo_evidence()]
    assert DetectionStage(NUM_CLASSES, BOX_HEAD).propagate(None, evidence) is evidence


def test_every_class_has_a_detection():
    stage = DetectionStage(NUM_CLASSES, BOX_HEAD, test_cfg=dict(score_threshold=1.0)).eval()
    result = stage.predict(random_feats(), [photo_evidence()])[0]
    assert sorted(result.labels.tolist()) == [0, 1, 2]
