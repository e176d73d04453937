import pytest
import torch
from mmengine.structures import InstanceData

from mmlabelpenet.models import AttentionSeeds, PixelAffinity, ProposalSeeds
from mmlabelpenet.models.calibration import mined_instances
from mmlabelpenet.models.task_modules import mine_pseudo_instances
from mmlabelpenet.structures import Maps

from ..tiny import boxes_in, evidence_of


def calibrated(tags=(1.0, 0.0, 1.0), **fields):
    """Calibrated evidence of an image of 64 x 96."""
    known = dict(
        tags=torch.tensor(tags),
        image_scores=torch.tensor([0.9, 0.8, 0.2]),
        attention=Maps(torch.rand(3, 4, 6), 16),
        proposals=InstanceData(bboxes=boxes_in(64, 96, 12), scores=torch.rand(12, 3)),
    )
    return evidence_of(64, 96, **known | fields)


def test_mined_proposals_are_weighted_by_their_scores_and_leave_the_evidence():
    before = calibrated()
    [after] = mined_instances([before], dict(max_per_class=1), dilation=1.3)
    pseudo, proposals = after.pseudo_instances, before.proposals
    image = (proposals.bboxes, proposals.scores, before.tags)
    [mined] = mine_pseudo_instances(*([part] for part in image), max_per_class=1)
    for name in ('bboxes', 'labels', 'scores'):
        assert pseudo[name].equal(mined[name])
    assert pseudo.weights.equal(mined.scores)
    assert after.instance_stride == 16
    assert tuple(pseudo.attention.shape) == (2, 4, 6)
    assert 'pseudo_instances' not in before


def test_seeds_weigh_the_image_score_by_the_share_of_the_best_score():
    scores = torch.tensor([[0.4, 0, 0.5], [0.3, 0, 0], [0, 0, 0]])
    bboxes = torch.tensor([[0.0, 0, 20, 20], [40, 40, 60, 60], [60, 0, 90, 30]])
    evidence = calibrated(proposals=InstanceData(bboxes=bboxes, scores=scores))
    pseudo = ProposalSeeds()([evidence], [])[0].pseudo_instances
    assert pseudo.labels.tolist() == [0, 0, 2]
    assert pseudo.weights.tolist() == pytest.approx([0.9, 0.9 * 0.75, 0.2])


def seed_in(old, img_shape=(64, 96), cells=(slice(1, 3), slice(2, 4)), **changes):
    """The only pseudo instance that a proposal gives, whose class has attention in some cells."""
    attention = torch.zeros(1, 4, 6)
    attention[0][cells] = 0.8
    evidence = calibrated(
        metainfo=dict(img_shape=img_shape),
        tags=torch.ones(1),
        image_scores=torch.ones(1),
        attention=Maps(attention, 16),
        proposals=InstanceData(bboxes=torch.tensor([old]), scores=torch.ones(1, 1)),
    )
    # all attention of the class, however far from the box
    return ProposalSeeds(dilation=10, **changes)([evidence], [])[0].pseudo_instances


@pytest.mark.parametrize(
    ('old', 'moves'),
    [
        # the object covers [32, 16, 64, 48]
        ([32.0, 16, 64, 64], True),  # IoU 2/3
        ([32.0, 16, 48, 48], True),  # IoU .5
        ([32.0, 16, 96, 64], False),  # IoU 1/3
        ([0.0, 0, 96, 64], False),
    ],
)
def test_tightening_moves_boxes_only_where_they_agree(old, moves):
    moved = seed_in(old, tighten=0.5)
    assert moved.bboxes.tolist() == [[32.0, 16, 64, 48] if moves else old]
    assert seed_in(old).bboxes.tolist() == [old]
    assert seed_in(old, tighten=0.5, min_iou=0.0).bboxes.tolist() == [[32.0, 16, 64, 48]]
    assert moved.labels.tolist() == [0]


def test_tightening_does_not_change_the_proposals():
    evidence = calibrated()
    before = evidence.proposals.bboxes.clone()
    after = ProposalSeeds(tighten=0.5, min_iou=0.0)([evidence], [])[0]
    assert evidence.proposals.bboxes.equal(before)
    mined = mined_instances([evidence], {}, 1.3)[0].pseudo_instances
    assert not after.pseudo_instances.bboxes.equal(mined.bboxes)


def test_tight_boxes_stay_within_the_image():
    whole = (slice(None), slice(None))
    moved = seed_in([0.0, 0, 90, 55], img_shape=(60, 90), cells=whole, tighten=0.5)
    assert moved.bboxes.tolist() == [[0, 0, 90, 60]]


def test_peaks_of_attention_need_no_proposal():
    attention = torch.zeros(3, 4, 6)
    attention[0, 1:3, 1:4] = torch.tensor([[0.6, 1.0, 0.6], [0.3, 0.6, 0.3]])
    attention[0, 3, 5] = 0.9  # not connected to the peak
    attention[2, 0:2, 4:6] = 1.0
    evidence = calibrated(tags=(1.0, 1.0, 1.0), attention=Maps(attention, 16))
    evidence.proposals.bboxes = torch.tensor([[0.0, 0, 8, 8]]).expand(12, 4)
    after = AttentionSeeds()([evidence], [])[0]
    pseudo = after.pseudo_instances
    assert after.instance_stride == 16
    assert pseudo.labels.tolist() == [0, 1, 2]
    # the second class has no attention: its weight is 0
    expected = [[16, 16, 64, 48], [0, 0, 96, 64], [64, 0, 96, 32]]
    assert pseudo.bboxes.tolist() == expected
    assert pseudo.weights.tolist() == pytest.approx([0.9, 0, 0.2])
    assert pseudo.attention[0].amax() == 1
    assert pseudo.attention[0, 3, 5] == 0
    assert 'pseudo_instances' not in evidence
    untagged = AttentionSeeds()([calibrated(tags=(0.0, 0.0, 0.0))], [])[0]
    assert len(untagged.pseudo_instances) == 0


def test_a_higher_threshold_gives_a_smaller_box():
    attention = torch.zeros(1, 4, 6)
    attention[0, 1:3, 1:4] = torch.tensor([[0.6, 1.0, 0.6], [0.3, 0.6, 0.3]])
    evidence = calibrated(tags=(1.0,), attention=Maps(attention, 16))
    boxes = [
        AttentionSeeds(share)([evidence], [])[0].pseudo_instances.bboxes for share in (0.2, 0.7)
    ]
    assert torch.cat(boxes).tolist() == [[16, 16, 64, 48], [32, 16, 48, 32]]


def test_boxes_around_peaks_stay_in_the_image():
    evidence = calibrated(
        metainfo=dict(img_shape=(60, 90)), attention=Maps(torch.ones(3, 4, 6), 16)
    )
    pseudo = AttentionSeeds()([evidence], [])[0].pseudo_instances
    assert pseudo.bboxes.tolist() == [[0, 0, 90, 60]] * 2


def test_refiners_follow_one_another_before_peaks_are_boxed():
    evidence = calibrated(image=torch.rand(3, 64, 96))
    coarse, fine = PixelAffinity(stride=8), PixelAffinity(stride=4, steps=2)
    after = AttentionSeeds()([evidence], [coarse, fine])[0]
    maps = fine(evidence, coarse(evidence, evidence.attention[torch.tensor([0, 2])])).values
    assert after.instance_stride == 4
    outlined = after.pseudo_instances.attention > 0
    assert outlined.shape == maps.shape
    peaks = maps.flatten(1).argmax(1)
    assert outlined.flatten(1).gather(1, peaks[:, None]).all()
