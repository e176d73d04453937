import torch

from mmlabelpenet.models import MinedProposals
from mmlabelpenet.models.task_modules import mine_pseudo_instances
from mmlabelpenet.registry import MODELS

from ..tiny import image, losses_of, model_cfg
from .test_calibration import stage_one_evidence


def test_it_mines_stage_one_and_leaves_the_evidence():
    before = stage_one_evidence()
    source = MinedProposals(3)
    after = source.propagate((), [before])[0]
    image = (before.proposals.bboxes, before.proposals.scores, before.tags)
    [mined] = mine_pseudo_instances(*([part] for part in image))
    for name in ('bboxes', 'labels', 'scores'):
        assert after.pseudo_instances[name].equal(mined[name])
    assert after.pseudo_instances.weights.equal(mined.scores)
    assert after.attention is before.attention
    assert after.proposals is before.proposals
    assert 'pseudo_instances' not in before
    assert source.infer((), [before])[0] is before


def test_mining_can_be_set():
    after = MinedProposals(3, mining=dict(max_per_class=1)).propagate((), [stage_one_evidence()])
    assert after[0].pseudo_instances.labels.tolist() == [0, 2]


def test_without_tags_nothing_is_mined():
    evidence = stage_one_evidence(tags=(0.0, 0.0, 0.0))
    assert len(MinedProposals(3).propagate((), [evidence])[0].pseudo_instances) == 0


def test_it_neither_learns_nor_validates_and_its_labels_stay_with_stage_one():
    source = MinedProposals(3)
    assert not source.learns
    assert not source.validates
    assert not source.reads_ground_truth
    assert source.loss((), [stage_one_evidence()]) == {}
    assert list(source.parameters()) == []
    assert list(source.steps()) == ['calibration']


def test_a_cascade_trains_on_mined_proposals():
    torch.manual_seed(0)
    config = model_cfg() | dict(calibration=dict(type='MinedProposals'))
    model = MODELS.build(config)
    losses = losses_of(model.train(), image())
    assert {name.split('.')[0] for name in losses} == set(model.cascade)
    assert all(loss.isfinite() for loss in losses.values())
