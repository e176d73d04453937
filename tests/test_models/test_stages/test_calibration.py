import pytest
import torch
from mmengine.structures import InstanceData

from mmlabelpenet.models import ProposalCalibration
from mmlabelpenet.models.calibration import scale_boxes
from mmlabelpenet.models.task_modules import mine_pseudo_instances

from ..tiny import STRIDES, boxes_in, evidence_of, pseudo_of, random_feats


def stage_one_evidence(tags=(1.0, 0.0, 1.0)):
    """What stage 1 hands on of an image of 64 x 96."""
    return evidence_of(
        64,
        96,
        metainfo=dict(attention_stride=16),
        tags=torch.tensor(tags),
        image_scores=torch.tensor([0.9, 0.8, 0.2]),
        attention=torch.rand(3, 4, 6),
        proposals=InstanceData(bboxes=boxes_in(64, 96, 12), scores=torch.rand(12, 3)),
    )


def test_off_is_plain_mining_of_stage_one_and_leaves_the_evidence():
    calibration = ProposalCalibration(
        mode='off', sharpen=dict(type='RandomWalk', strides=STRIDES), tighten={}
    )
    before = stage_one_evidence()
    after = calibration(random_feats(), [before])[0]
    mined = mine_pseudo_instances(before.proposals.bboxes, before.proposals.scores, before.tags)
    for name in ('bboxes', 'labels', 'scores'):
        assert after.pseudo_instances[name].equal(mined[name])
    assert after.pseudo_instances.weights.equal(mined.scores)
    assert after.attention is before.attention
    assert after.proposals is before.proposals
    assert 'pseudo_instances' not in before


def test_mining_can_be_set():
    calibration = ProposalCalibration(mode='off', mining=dict(max_per_class=1))
    after = calibration(random_feats(), [stage_one_evidence()])[0]
    assert after.pseudo_instances.labels.tolist() == [0, 2]


def test_forward_chooses_the_box_that_holds_the_attention_and_weighs_by_belief():
    evidence = stage_one_evidence()
    evidence.attention = torch.zeros(3, 4, 6)
    evidence.attention[0, 1:3, 1:4] = 1.0
    evidence.attention[2, 0:2, 4:6] = 1.0
    bboxes = torch.tensor([[16.0, 16, 64, 48], [64, 0, 96, 32], [0, 0, 96, 64], [16, 16, 32, 48]])
    evidence.proposals = InstanceData(bboxes=bboxes, scores=torch.rand(4, 3))
    after = ProposalCalibration()(random_feats(), [evidence])[0]
    pseudo = after.pseudo_instances
    assert pseudo.labels.tolist() == [0, 2]
    assert pseudo.bboxes.equal(bboxes[:2])
    assert pseudo.weights.tolist() == pytest.approx([0.9, 0.2])
    # scores are energy times belief, for absent classes too
    assert after.proposals.scores[0].tolist() == pytest.approx([0.9, 0, 0], abs=1e-5)


def test_proposal_scores_count_by_their_power():
    evidence = stage_one_evidence()
    plain, powered = (
        ProposalCalibration(score_power=power).rescore(random_feats(), [evidence])[0]
        for power in (0.0, 0.5)
    )
    expected = plain.proposals.scores * evidence.proposals.scores.sqrt()
    torch.testing.assert_close(powered.proposals.scores, expected)


def test_sharpening_moves_attention_to_its_own_grid():
    calibration = ProposalCalibration(
        sharpen=dict(type='RandomWalk', strides=STRIDES, levels=(1, 2), steps=1)
    )
    before = stage_one_evidence()
    after = calibration.rescore(random_feats(), [before])[0]
    assert after.attention.shape == (3, 8, 12)
    assert after.attention_stride == 8
    assert before.attention_stride == 16


def test_without_tags_nothing_is_mined():
    for mode in ('off', 'forward'):
        calibration = ProposalCalibration(mode=mode, tighten={})
        evidence = stage_one_evidence(tags=(0.0, 0.0, 0.0))
        assert len(calibration(random_feats(), [evidence])[0].pseudo_instances) == 0


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
    evidence = stage_one_evidence()
    evidence.set_metainfo(dict(instance_stride=16))
    pseudo = pseudo_of([old], [1])
    pseudo.attention = torch.zeros(1, 4, 6)
    pseudo.attention[0, 1:3, 2:4] = 0.8
    moved = ProposalCalibration.tighten(evidence, pseudo, threshold=0.5)
    assert moved.bboxes.tolist() == [[32.0, 16, 64, 48] if moves else old]
    assert pseudo.bboxes.tolist() == [old]


def test_tight_boxes_stay_within_the_image():
    evidence = stage_one_evidence()
    evidence.set_metainfo(dict(img_shape=(60, 90), instance_stride=16))
    pseudo = pseudo_of([[0.0, 0, 90, 55]], [0])
    pseudo.attention = torch.ones(1, 4, 6)
    moved = ProposalCalibration.tighten(evidence, pseudo)
    assert moved.bboxes.tolist() == [[0, 0, 90, 60]]


def test_refined_instances_lie_on_a_finer_grid_and_stay_in_their_boxes():
    evidence = stage_one_evidence()
    evidence.image = torch.rand(3, 64, 96)
    plain, refined = (
        ProposalCalibration(refine=refine)(random_feats(), [evidence])[0]
        for refine in (None, dict(type='PixelAffinity', stride=4, steps=0))
    )
    assert plain.instance_stride == 16
    assert refined.instance_stride == 4
    assert len(refined.pseudo_instances) == len(plain.pseudo_instances) > 0
    assert tuple(refined.pseudo_instances.attention.shape[1:]) == (16, 24)
    near = scale_boxes(refined.pseudo_instances.bboxes, 1.3) / 4
    for attention, (x1, y1, x2, y2) in zip(refined.pseudo_instances.attention, near.tolist()):
        rows, columns = (attention > 0).nonzero(as_tuple=True)
        # no farther than a coarse cell spreads when it is interpolated
        assert x1 - 4 <= columns.min() <= columns.max() <= x2 + 4
        assert y1 - 4 <= rows.min() <= rows.max() <= y2 + 4


def test_unknown_modes_energies_and_seeds_are_refused():
    with pytest.raises(ValueError, match='seeds'):
        ProposalCalibration(seeds='noise')
    with pytest.raises(ValueError, match='backwards'):
        ProposalCalibration(mode='backwards')
    with pytest.raises(ValueError, match='kinetic'):
        ProposalCalibration(energy='kinetic')


def test_what_stands_out_needs_no_proposal():
    evidence = stage_one_evidence(tags=(1.0, 1.0, 1.0))
    evidence.attention = torch.zeros(3, 4, 6)
    evidence.attention[0, 1:3, 1:4] = torch.tensor([[0.6, 1.0, 0.6], [0.3, 0.6, 0.3]])
    evidence.attention[0, 3, 5] = 0.9  # not connected to the peak
    evidence.attention[2, 0:2, 4:6] = 1.0
    evidence.proposals.bboxes = torch.tensor([[0.0, 0, 8, 8]]).expand(12, 4)
    [after] = ProposalCalibration(seeds='attention')(random_feats(), [evidence])
    pseudo = after.pseudo_instances
    assert pseudo.labels.tolist() == [0, 1, 2]
    # the second class has no attention: it teaches nothing
    expected = [[16, 16, 64, 48], [0, 0, 96, 64], [64, 0, 96, 32]]
    assert pseudo.bboxes.tolist() == expected
    assert pseudo.weights.tolist() == pytest.approx([0.9, 0, 0.2])
    assert pseudo.attention[0].amax() == 1
    assert pseudo.attention[0, 3, 5] == 0
    untagged = stage_one_evidence(tags=(0.0, 0.0, 0.0))
    [after] = ProposalCalibration(seeds='attention')(random_feats(), [untagged])
    assert len(after.pseudo_instances) == 0


def test_what_stands_out_stays_in_the_image_and_off_mines_proposals_all_the_same():
    evidence = stage_one_evidence()
    evidence.set_metainfo(dict(img_shape=(60, 90)))
    evidence.attention = torch.ones(3, 4, 6)
    [after] = ProposalCalibration(seeds='attention')(random_feats(), [evidence])
    assert after.pseudo_instances.bboxes.tolist() == [[0, 0, 90, 60]] * 2
    off, mined = (
        ProposalCalibration(mode='off', seeds=seeds)(random_feats(), [evidence])[0]
        for seeds in ('attention', 'proposals')
    )
    assert off.pseudo_instances.bboxes.equal(mined.pseudo_instances.bboxes)


def test_refiners_follow_one_another():
    evidence = stage_one_evidence()
    evidence.image = torch.rand(3, 64, 96)
    chain = [dict(type='PixelAffinity', stride=8), dict(type='PixelAffinity', stride=4, steps=2)]
    calibration = ProposalCalibration(seeds='attention', refine=chain)
    [after] = calibration(random_feats(), [evidence])
    coarse, fine = calibration.refiners
    maps = coarse(evidence.image, evidence.attention[[0, 2]], 16)
    maps = fine(evidence.image, maps, 8)
    assert after.instance_stride == 4
    outlined = after.pseudo_instances.attention > 0
    assert outlined.shape == maps.shape
    peaks = maps.flatten(1).argmax(1)
    assert outlined.flatten(1).gather(1, peaks[:, None]).all()
