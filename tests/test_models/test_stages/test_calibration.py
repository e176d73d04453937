import pytest
import torch
from mmengine.structures import InstanceData

from mmlabelpenet.models import AttentionSeeds, ProposalCalibration, ProposalSeeds
from mmlabelpenet.models.calibration import contrast_energy, energy_share, scale_boxes
from mmlabelpenet.structures import Maps, Step
from mmlabelpenet.structures.maps import mean_maps

from ..tiny import LEVELS, NUM_CLASSES, STRIDES, boxes_in, evidence_of, random_feats

SEMANTIC = dict(LEVELS, levels=(2,))


def stage_one_evidence(tags=(1.0, 0.0, 1.0), **fields):
    """Evidence of an image of 64 x 96 after stage 1."""
    known = dict(
        tags=torch.tensor(tags),
        image_scores=torch.tensor([0.9, 0.8, 0.2]),
        attention=Maps(torch.rand(3, 4, 6), 16),
        proposals=InstanceData(bboxes=boxes_in(64, 96, 12), scores=torch.rand(12, 3)),
    )
    return evidence_of(64, 96, feats=random_feats(), **known | fields)


def build(**changes):
    return ProposalCalibration(NUM_CLASSES, **changes)


def propagated(calibration, evidence):
    return calibration.propagate(evidence.batch_feats, [evidence])[0]


def inferred(calibration, evidence):
    return calibration.infer(evidence.batch_feats, [evidence])[0]


def test_forward_chooses_the_box_that_holds_the_attention_and_weights_it_by_the_image_score():
    attention = torch.zeros(3, 4, 6)
    attention[0, 1:3, 1:4] = 1.0
    attention[2, 0:2, 4:6] = 1.0
    bboxes = torch.tensor([[16.0, 16, 64, 48], [64, 0, 96, 32], [0, 0, 96, 64], [16, 16, 32, 48]])
    proposals = InstanceData(bboxes=bboxes, scores=torch.rand(4, 3))
    evidence = stage_one_evidence(attention=Maps(attention, 16), proposals=proposals)
    after = propagated(build(), evidence)
    pseudo = after.pseudo_instances
    assert pseudo.labels.tolist() == [0, 2]
    assert pseudo.bboxes.equal(bboxes[:2])
    assert pseudo.weights.tolist() == pytest.approx([0.9, 0.2])
    # scores are energy times image score, for absent classes too
    assert after.proposals.scores[0].tolist() == pytest.approx([0.9, 0, 0], abs=1e-5)
    assert 'pseudo_instances' not in evidence


def test_proposal_scores_count_by_their_power():
    evidence = stage_one_evidence()
    plain, powered = (inferred(build(score_power=power), evidence) for power in (0.0, 0.5))
    expected = plain.proposals.scores * evidence.proposals.scores.sqrt()
    torch.testing.assert_close(powered.proposals.scores, expected)


def test_the_energy_can_be_chosen():
    evidence = stage_one_evidence()
    boxes = evidence.proposals.bboxes
    for changes, energy in (
        (dict(threshold=0.6), contrast_energy(evidence.attention, boxes, 0.6)),
        (dict(energy='share'), energy_share(evidence.attention, boxes)),
    ):
        scores = inferred(build(**changes), evidence).proposals.scores
        torch.testing.assert_close(scores, energy * evidence.image_scores)


def test_sharpening_moves_attention_to_its_own_grid():
    calibration = build(sharpen=dict(type='RandomWalk', strides=STRIDES, levels=(1, 2), steps=1))
    before = stage_one_evidence()
    after = inferred(calibration, before)
    assert after.attention.values.shape == (3, 8, 12)
    assert after.attention.stride == 8
    assert before.attention.stride == 16


def test_attention_is_the_mean_over_the_scales():
    scaled = evidence_of(96, 144, attention=Maps(torch.rand(3, 6, 9), 16))
    evidence = stage_one_evidence(scales=[scaled])
    attention = inferred(build(), evidence).attention
    # a cell of the larger image covers 16 / 1.5 pixels of the image itself
    both = [evidence.attention, Maps(scaled.attention.values, 16 / 1.5)]
    expected = mean_maps(both, (64, 96))
    assert attention.stride == expected.stride == 8
    torch.testing.assert_close(attention.values, expected.values)


def test_semantic_attention_is_one_of_the_maps_unless_it_learns_alone():
    calibration, evidence = build(semantic=SEMANTIC), stage_one_evidence()
    torch.nn.init.normal_(calibration.semantic.classifiers[0].weight)
    own = calibration.semantic(evidence)
    expected = mean_maps([evidence.attention, own], (64, 96))
    torch.testing.assert_close(inferred(calibration, evidence).attention.values, expected.values)
    calibration.begin(Step(learning=('semantic',)))
    assert inferred(calibration, evidence).attention is evidence.attention
    calibration.begin(Step(learning=('semantic', 'detection')))
    torch.testing.assert_close(inferred(calibration, evidence).attention.values, expected.values)


def test_labels_can_be_cached_unless_semantic_attention_learns_beside_others():
    calibration = build(semantic=SEMANTIC)
    assert calibration.labels_cacheable(Step(learning=('semantic',)))
    assert calibration.labels_cacheable(Step(learning=('detection', 'segmentation')))
    assert not calibration.labels_cacheable(Step(learning=('semantic', 'detection')))


def test_without_tags_there_are_no_pseudo_instances():
    evidence = stage_one_evidence(tags=(0.0, 0.0, 0.0))
    for seeds in (dict(tighten=0.5), dict(type='AttentionSeeds')):
        assert len(propagated(build(seeds=seeds), evidence).pseudo_instances) == 0


def test_refined_instances_lie_on_a_finer_grid_and_stay_in_their_boxes():
    evidence = stage_one_evidence(image=torch.rand(3, 64, 96))
    plain, refined = (
        propagated(build(refine=refine), evidence)
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
    with pytest.raises(KeyError, match='noise'):
        build(seeds=dict(type='noise'))
    with pytest.raises(ValueError, match='backwards'):
        build(mode='backwards')
    with pytest.raises(ValueError, match='kinetic'):
        build(energy='kinetic')


def test_only_a_full_calibration_validates():
    assert build(mode='full').validates
    assert not build().validates


def test_seeds_are_proposals_unless_the_config_says_otherwise():
    seeds = build(seeds=dict(tighten=0.4)).seeds
    assert isinstance(seeds, ProposalSeeds)
    assert seeds.tighten == 0.4
    assert isinstance(build(seeds=dict(type='AttentionSeeds')).seeds, AttentionSeeds)


def test_seeds_start_from_calibrated_evidence():
    evidence = stage_one_evidence(image=torch.rand(3, 64, 96))
    sharpen = dict(type='RandomWalk', strides=STRIDES, levels=(1, 2), steps=1)
    for seeds in (dict(type='ProposalSeeds', tighten=0.5), dict(type='AttentionSeeds')):
        chain = [dict(type='PixelAffinity', stride=stride, steps=2) for stride in (8, 4)]
        calibration = build(seeds=seeds, sharpen=sharpen, refine=chain)
        after = propagated(calibration, evidence)
        [expected] = calibration.seeds([inferred(calibration, evidence)], calibration.refiners)
        assert after.instance_stride == expected.instance_stride == 4
        for name in ('bboxes', 'labels', 'scores', 'weights', 'attention'):
            assert after.pseudo_instances[name].equal(expected.pseudo_instances[name])


def test_instances_of_at_least_the_least_agreement_are_valid_if_their_class_is_tagged():
    found = InstanceData(
        bboxes=torch.tensor([[0.0, 0, 32, 32], [32, 0, 64, 32], [64, 0, 96, 32]]),
        labels=torch.tensor([0, 0, 1]),
        scores=torch.tensor([0.3, 0.4, 0.9]),
        masks=torch.rand(3, 4, 6),
        agreement=torch.tensor([0.5, 0.49, 0.9]),
    )
    pseudo = InstanceData(
        bboxes=torch.tensor([[0.0, 32, 32, 64], [64, 32, 96, 64]]),
        labels=torch.tensor([0, 2]),
        scores=torch.tensor([0.7, 0.6]),
        weights=torch.tensor([0.7, 0.0]),
        attention=torch.rand(2, 4, 6),
        agreement=torch.tensor([0.2, 0.8]),
    )
    evidence = stage_one_evidence(found=found, pseudo_instances=pseudo)
    [after] = build(mode='full', validation=0.5).validate(None, [evidence])
    merged = after.pseudo_instances
    # Both pseudo instances, weighted by agreement where they had a weight, and the first found.
    assert merged.bboxes.equal(torch.cat([pseudo.bboxes, found.bboxes[:1]]))
    assert merged.weights.tolist() == pytest.approx([0.2, 0, 0.5])
    torch.testing.assert_close(merged.attention[2].max(), torch.tensor(1.0))
    assert evidence.pseudo_instances is pseudo
