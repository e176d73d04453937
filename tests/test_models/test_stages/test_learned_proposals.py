import pytest
import torch
from mmdet.models.losses import CrossEntropyLoss, L1Loss
from mmdet.models.task_modules.coders import DeltaXYWHBBoxCoder
from mmdet.structures.bbox import bbox_overlaps
from mmengine.structures import InstanceData

from mmlabelpenet.registry import MODELS
from mmlabelpenet.structures import Step
from mmlabelpenet.utils import UserError

from ..tiny import (
    LEARNED,
    build_model,
    collate,
    image,
    learning_parts,
    losses_of,
    model_cfg,
    predictions_of,
    train_as,
)

FULL = dict(mode='full')


def bare(*args, **kwargs):
    """An image that brings no proposals."""
    img, sample = image(*args, **kwargs)
    del sample.proposals
    return img, sample


@pytest.fixture
def model():
    return build_model(proposals=LEARNED, calibration=FULL)


@pytest.fixture
def taught(model, monkeypatch):
    """A function that sets the instances that the last stage finds in every image."""

    def teach(bboxes, scores):
        found = InstanceData(
            bboxes=torch.tensor(bboxes).view(-1, 4),
            labels=torch.zeros(len(scores), dtype=torch.long),
            scores=torch.tensor(scores),
        )

        def mined(feats, evidence):
            return [found] * len(evidence)

        monkeypatch.setattr(model.cascade['segmentation'], 'mined', mined)
        return train_as(model, learning=('proposals',), backbone=False, scales=False)

    return teach


def sampled(model, index=0):
    """Anchors that a training step draws, with their outputs."""
    drawn = []
    learned = model.proposals
    sample = learned._sample
    learned._sample = lambda *args: drawn.extend(sample(*args)) or drawn
    losses_of(model, image())
    del learned._sample
    return drawn[index]


def test_the_weights_of_all_other_parts_are_those_without_it():
    def states(**changes):
        torch.manual_seed(0)
        model = MODELS.build(model_cfg(calibration=FULL, **changes))
        built = {name: value.clone() for name, value in model.state_dict().items()}
        model.init_weights()
        return built, model.state_dict()

    for plain, learning in zip(states(), states(proposals=LEARNED)):
        assert all(value.equal(learning[name]) for name, value in plain.items())
        further = learning.keys() - plain.keys()
        assert {name.split('.')[0] for name in further} == {'proposals'}


def test_it_comes_after_the_last_stage_and_only_its_head_learns(model):
    assert list(model.cascade.steps)[-2:] == ['segmentation', 'proposals']
    assert model.cascade.learnable[-1] == 'proposals'
    assert 'proposals' not in model.cascade.readouts
    # Even where the backbone could learn.
    losses = losses_of(train_as(model, learning=('proposals',), backbone=True), image())
    assert losses.keys() == {'proposals.loss_cls', 'proposals.loss_bbox'}
    sum(value for name, value in losses.items() if 'loss' in name).backward()
    assert learning_parts(model) == {'proposals'}


def test_a_backward_step_is_what_it_is_without_it(model):
    other = build_model(calibration=FULL)
    first, second = (
        losses_of(train_as(one, direction='backward'), image()) for one in (model, other)
    )
    assert first.keys() == second.keys()
    assert all(value.equal(second[name]) for name, value in first.items())


def test_what_lies_away_from_all_instances_is_neither_object_nor_background(taught):
    box = [10.0, 10.0, 42.0, 42.0]
    regions = sampled(taught([box], [0.5]))
    overlaps = bbox_overlaps(regions.bboxes, torch.tensor([box]))[:, 0]
    assert (overlaps < 0.1).any()
    assert regions.labels[overlaps >= 0.5].eq(0).all()
    assert regions.labels[(overlaps >= 0.1) & (overlaps < 0.5)].eq(1).all()
    assert regions.labels[overlaps < 0.1].eq(-1).all()
    assert regions.weights.equal(0.5 * (overlaps >= 0.1).float())


def test_losses_have_the_weights_of_the_instances(taught):
    full = losses_of(taught([[10.0, 10.0, 42.0, 42.0]], [0.8]), image())
    half = losses_of(taught([[10.0, 10.0, 42.0, 42.0]], [0.4]), image())
    for name in ('proposals.loss_cls', 'proposals.loss_bbox'):
        assert full[name] > 0
        assert half[name].item() == pytest.approx(full[name].item() / 2)


def test_losses_are_those_of_mmdet(taught):
    model = taught([[10.0, 10.0, 42.0, 42.0], [30.0, 5.0, 90.0, 60.0]], [0.8, 0.3])
    regions, losses = sampled(model), losses_of(model, image())
    foreground, labels = regions.labels == 0, regions.labels.clamp(min=0)
    targets = DeltaXYWHBBoxCoder().encode(regions.bboxes, regions.targets)
    targets[~foreground] = 0
    of_boxes = (regions.weights * foreground)[:, None].expand(-1, 4)
    count = (regions.labels >= 0).sum()
    quality = regions.quality * (labels == 0)
    of_classes = CrossEntropyLoss(use_sigmoid=True)(
        regions.logits, quality[:, None], regions.weights[:, None], avg_factor=count
    )
    of_sides = L1Loss()(regions.deltas, targets, of_boxes, avg_factor=count)
    torch.testing.assert_close(losses['proposals.loss_cls'], of_classes)
    torch.testing.assert_close(losses['proposals.loss_bbox'], of_sides)


def test_foreground_learns_how_well_its_moved_box_fits(taught):
    box = [10.0, 10.0, 42.0, 42.0]
    model = taught([box], [0.8])
    regions = sampled(model)
    moved = DeltaXYWHBBoxCoder().decode(regions.bboxes, regions.deltas, max_shape=(64, 96))
    expected = bbox_overlaps(moved, torch.tensor([box]))[:, 0]
    assert not regions.quality.requires_grad
    torch.testing.assert_close(regions.quality, expected, atol=1e-4, rtol=0)


def test_the_best_anchors_of_a_thin_instance_are_foreground(taught):
    thin = [10.0, 20.0, 90.0, 34.0]
    regions = sampled(taught([thin], [0.8]))
    overlaps = bbox_overlaps(regions.bboxes, torch.tensor([thin]))[:, 0]
    foreground = regions.labels == 0
    assert 0.3 < overlaps.max() < 0.5
    assert foreground.any()
    assert (overlaps[foreground] > overlaps.max() - 1e-4).all()
    assert regions.weights[foreground].eq(0.8).all()


def test_it_learns_without_the_labels_of_the_steps_before(model, monkeypatch):
    monkeypatch.setattr(model.cascade, 'seed', lambda *args: pytest.fail('seeds are not needed'))
    train_as(model, learning=('proposals',), backbone=False)
    assert losses_of(model, image())['proposals.loss_cls'] > 0


def test_its_proposals_find_what_it_has_learned(taught):
    box = torch.tensor([[20.0, 8.0, 60.0, 48.0]])
    model = taught(box.tolist(), [1.0])
    model.proposals.neg_iou = (0.0, 0.5)  # what lies elsewhere is background
    optimiser = torch.optim.Adam(model.proposals.parameters(), 0.01)
    for _ in range(30):
        losses = losses_of(model, image())
        model.zero_grad()
        sum(value for name, value in losses.items() if 'loss' in name).backward()
        optimiser.step()
    model.proposals.regressions = 0  # its last stage knows nothing
    [result] = predictions_of(model, bare())
    assert bbox_overlaps(result.proposals.bboxes[:5], box).max() > 0.7


def test_images_without_proposals_get_learned_ones(model):
    [first, second] = predictions_of(model, bare(), bare(96, 64, seed=1))
    for one, (height, width) in ((first, (64, 96)), (second, (96, 64))):
        bboxes, scores = one.proposals.bboxes, one.proposals.scores
        assert 0 < len(bboxes) <= LEARNED['num_proposals']
        assert (bboxes >= 0).all()
        assert (bboxes <= torch.tensor([width, height] * 2)).all()
        assert scores.equal(scores.sort(descending=True).values)
        assert len(one.pred_instances) > 0
    # Of images that bring some, those are used.
    given = image()
    plain = predictions_of(build_model(calibration=FULL), given)[0].pred_instances
    mixed = predictions_of(model, given, bare(seed=1))[0]
    assert mixed.proposals.bboxes.equal(given[1].proposals.bboxes)
    assert torch.allclose(mixed.pred_instances.bboxes, plain.bboxes, atol=1e-3)


def test_the_last_stage_moves_the_proposals(model):
    def proposals():
        [evidence] = model.eval().read_evidence(collate(bare()), tagged=False)
        return evidence

    model.proposals.regressions = 1
    moved = proposals()
    model.proposals.regressions = 0
    plain = proposals()
    last = model.cascade['segmentation']
    with torch.no_grad():
        [(_, bboxes)] = last.score_regions(plain.batch_feats, [plain])
    assert moved.proposals.bboxes.equal(bboxes)
    assert not bboxes.equal(plain.proposals.bboxes)


@pytest.mark.parametrize('stage', ['detection', 'segmentation'])
def test_class_scores_are_multiplied_by_a_power_of_the_objectness(model, stage):
    model.proposals.score_power = 2.0
    [evidence] = model.eval().read_evidence(collate(bare()), tagged=False)
    learned = evidence.proposals
    plain = evidence.replace(proposals=InstanceData(bboxes=learned.bboxes))
    with torch.no_grad():
        [(scores, bboxes)], [(own, same)] = (
            model.cascade[stage].score_regions(one.batch_feats, [one]) for one in (evidence, plain)
        )
        [found] = model.proposals.propose(evidence.batch_feats, [evidence])
    assert learned.objectness.equal(found.scores**2)
    assert scores.equal(own * learned.objectness[:, None])
    assert bboxes.equal(same)
    # Stage 1 adds scores of its own to the proposals, for readouts of labels.
    evidence.tags = image()[1].tags
    [after] = model.cascade['classification'].propagate(evidence.batch_feats, [evidence])
    assert after.proposals.objectness.equal(learned.objectness)


def test_proposals_of_an_image_do_not_depend_on_its_batch(model):
    alone = predictions_of(model, bare())[0].proposals.bboxes
    batch = predictions_of(model, bare(96, 64, seed=1), bare())[1].proposals.bboxes
    assert torch.allclose(alone, batch, atol=1e-3)


def test_an_image_without_proposals_needs_a_model_that_makes_them(model):
    with pytest.raises(UserError, match='A photo has no proposals, and the model has not learned'):
        predictions_of(build_model(), bare())
    # In training it would have to learn from its own.
    with pytest.raises(UserError, match='A photo has no proposals'):
        losses_of(train_as(model, learning=('proposals',)), bare())


def test_it_learns_from_instances_of_a_last_stage_alone():
    with pytest.raises(ValueError, match='cannot learn from a DetectionStage'):
        build_model(proposals=LEARNED, cascade=dict(refinement=None, segmentation=None))
    model = build_model(proposals=LEARNED)
    # Of any label source: validation of the pseudo instances is not needed.
    assert not model.cascade.can_validate
    assert losses_of(train_as(model, learning=('proposals',)), image())['proposals.loss_cls'] > 0
    assert model.cascade.labels_cacheable(Step(learning=('proposals',), backbone=False))
