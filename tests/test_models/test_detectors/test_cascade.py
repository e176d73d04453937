import pytest
import torch
from mmengine.structures import InstanceData

from mmlabelpenet.models import LABELS, STAGES
from mmlabelpenet.models.detectors.cascade import above, label_counts
from mmlabelpenet.structures import Evidence, Step

from ..tiny import (
    LEVELS,
    NUM_CLASSES,
    build_from,
    build_model,
    build_uncalibrated,
    collate,
    image,
    learning_parts,
    losses_of,
    model_cfg,
    predictions_of,
    pseudo_of,
    read_stage,
    train_as,
)

BACKWARD = dict(direction='backward', weights=dict(detection=0.5))
SEEDING = ('classification', 'calibration')
WITH_MASKS = ('refinement', 'segmentation', *LABELS)


@pytest.fixture(scope='module')
def full_model():
    """A model that validates whatever the last stage finds."""
    return build_model(calibration=dict(mode='full', validation=0.0))


@pytest.fixture(scope='module')
def semantic_model():
    return build_model(calibration=dict(mode='full', semantic=LEVELS))


def losses_in(model, **step):
    """Losses of an image with a pseudo instance of some weight, in a training step of a kind."""
    return losses_of(train_as(model, **step), image(seed=1))


@pytest.fixture
def calls(full_model, monkeypatch):
    """Each call of a step: its name and that of the method."""
    made = []

    def recorded(name, kind, method):
        def call(*args):
            made.append((name, kind))
            return method(*args)

        return call

    for name, stage in full_model.cascade.steps.items():
        for kind in ('loss', 'propagate', 'validate'):
            monkeypatch.setattr(stage, kind, recorded(name, kind, getattr(stage, kind)))
    return made


def test_the_steps_are_stage_1_the_label_source_and_the_other_stages(model, semantic_model):
    assert list(model.cascade) == list(STAGES)
    assert list(model.cascade.steps) == [*SEEDING, *STAGES[1:]]
    assert model.cascade.learnable == STAGES
    assert list(semantic_model.cascade.steps) == [*SEEDING, 'semantic', *STAGES[1:]]
    assert semantic_model.cascade.learnable == ('classification', 'semantic', *STAGES[1:])
    assert model.cascade.readouts == (*STAGES, *LABELS)
    assert LABELS == ('attention', 'calibration')


def test_the_order_of_the_stages_is_that_of_the_detector_not_of_the_config():
    cfg = model_cfg()
    cfg['cascade'] = dict(reversed(cfg['cascade'].items()))
    assert list(build_from(cfg).cascade) == list(STAGES)
    with pytest.raises(ValueError, match='in order'):
        build_model(order=STAGES[:2])


def test_validation_needs_a_label_source_and_a_last_stage_for_it(full_model):
    assert full_model.cascade.can_validate
    assert not build_model().cascade.can_validate
    assert not build_uncalibrated().cascade.can_validate
    shorter = dict(mode='full'), dict(segmentation=None)
    assert not build_model(calibration=shorter[0], cascade=shorter[1]).cascade.can_validate


@pytest.mark.parametrize('last', ['classification', *STAGES[1:]])
def test_the_way_down_stops_at_the_last_stage_that_learns(full_model, calls, last):
    losses_in(full_model, learning=(last,))
    names = [*SEEDING, *STAGES[1:]]
    before = names[: names.index(last)]
    assert calls == [*((name, 'propagate') for name in before), (last, 'loss')]


def test_stages_learn_from_what_the_stages_before_them_propagate(full_model, calls):
    losses_in(full_model)
    assert calls == [
        ('classification', 'loss'),
        ('classification', 'propagate'),
        ('calibration', 'propagate'),
        ('detection', 'loss'),
        ('detection', 'propagate'),
        ('refinement', 'loss'),
        ('refinement', 'propagate'),
        ('segmentation', 'loss'),
    ]


def test_the_way_up_is_the_way_down_reversed(full_model, calls):
    losses_in(full_model, direction='backward')
    names = [*SEEDING, *STAGES[1:]]
    assert calls == [
        *((name, 'propagate') for name in names),
        *((name, 'validate') for name in reversed(names)),
        *((name, 'loss') for name in reversed(STAGES[:-1])),
    ]


def test_backward_supervises_the_stages_before_the_last_by_validated_labels(full_model):
    train_as(full_model, **BACKWARD)
    losses = losses_of(full_model, image(), image(seed=1))
    assert {name.split('.')[0] for name in losses} == {'classification', 'detection', 'refinement'}
    assert losses['classification.loss_region'] > 0
    assert full_model.training
    assert all(stage.training for stage in full_model.cascade.values())
    sum(value for name, value in losses.items() if 'loss' in name).backward()
    assert learning_parts(full_model) == {'backbone', *STAGES[:-1]}


@pytest.mark.parametrize('direction', ['forward', 'backward'])
def test_weights_of_a_step_scale_the_losses_of_their_stage(full_model, direction):
    plain = losses_in(full_model, direction=direction)
    weights = dict(detection=0.5, refinement=0.0)
    weighted = losses_in(full_model, direction=direction, weights=weights)
    assert plain['detection.loss_cls'] > 0
    assert weighted['detection.loss_cls'] == 0.5 * plain['detection.loss_cls']
    assert weighted['refinement.loss_mask'] == 0
    unweighted = 'segmentation' if direction == 'forward' else 'classification'
    names = [name for name in plain if name.startswith(unweighted)]
    assert names
    assert all(weighted[name] == plain[name] for name in names)
    # They scale losses, not the counts for the log.
    assert weighted['detection.pseudo'] == plain['detection.pseudo'] > 0


@pytest.mark.parametrize('direction', ['forward', 'backward'])
def test_pseudo_instances_below_the_threshold_supervise_nothing(full_model, direction):
    losses = losses_in(full_model, threshold=1.1, direction=direction)
    assert losses['detection.pseudo'] == 0
    assert losses['detection.loss_cls'] == 0
    assert losses['refinement.loss_mask'] == 0
    assert losses['classification.loss_image'] > 0


def test_the_threshold_zeroes_weights_and_leaves_the_evidence_as_it_is():
    pseudo = pseudo_of([[0, 0, 4, 4]] * 3, [0, 1, 2], weights=[0.2, 0.5, 0.8])
    evidence = [Evidence(pseudo_instances=pseudo)]
    [one] = above(evidence, 0.5)
    assert one.pseudo_instances.weights.tolist() == pytest.approx([0, 0.5, 0.8])
    assert pseudo.weights.tolist() == pytest.approx([0.2, 0.5, 0.8])
    assert above(evidence, 0.0) is evidence
    counts = label_counts([one, Evidence(pseudo_instances=pseudo_of([], []))])
    assert counts['pseudo'] == 1  # two in two images
    assert counts['pseudo_v'] == pytest.approx(0.65)
    assert label_counts([Evidence()]) == {}


def test_a_forward_step_of_a_full_calibration_is_that_of_a_forward_one(full_model):
    losses = losses_in(full_model)
    expected = losses_in(build_model(calibration=dict(mode='forward')))
    assert losses.keys() == expected.keys()
    assert all(value.equal(losses[name]) for name, value in expected.items())


def test_without_calibration_a_backward_step_is_a_forward_one():
    model = build_uncalibrated()
    forward, backward = losses_in(model), losses_in(model, direction='backward')
    assert forward.keys() == backward.keys()
    assert all(value.equal(backward[name]) for name, value in forward.items())


def test_labels_stay_the_same_while_nothing_that_they_follow_from_learns(model, semantic_model):
    def cacheable(model, *learning, backbone=False):
        return model.cascade.labels_cacheable(Step(learning=learning, backbone=backbone))

    assert cacheable(model, 'detection')
    assert cacheable(model, 'detection', 'refinement', 'segmentation')
    assert not cacheable(model, 'detection', backbone=True)
    assert not cacheable(model, 'classification', 'detection')
    # Semantic attention that learns alone is not read, see ``ProposalCalibration.begin``.
    assert cacheable(semantic_model, 'detection')
    assert cacheable(semantic_model, 'semantic')
    assert not cacheable(semantic_model, 'semantic', 'detection')


def test_semantic_attention_is_not_read_while_it_learns_alone(semantic_model):
    def attention(**step):
        train_as(semantic_model, **step)
        [one] = semantic_model.eval().explain(collate(image()))
        return one.attention.values

    first = attention(learning=('semantic',), backbone=False)
    read = attention(learning=('semantic', 'detection'), backbone=False)
    semantic_model.calibration.semantic.bias.data[0] += 5
    try:
        assert attention(learning=('semantic',), backbone=False).equal(first)
        assert not attention(learning=('detection',), backbone=False).equal(read)
    finally:
        semantic_model.calibration.semantic.bias.data[0] -= 5
    assert attention(learning=('detection',), backbone=False).equal(read)


@pytest.mark.parametrize(
    ('stage', 'masks'),
    [
        ('classification', False),
        ('detection', False),
        ('refinement', True),
        ('segmentation', True),
        ('attention', True),
        ('calibration', True),
    ],
)
def test_every_readout_can_be_chosen_by_config(stage, masks):
    model = build_model(test_cfg=dict(stage=stage))
    result = predictions_of(model, image())[0]
    found = result.pred_instances
    assert tuple(result.pred_image_scores.shape) == (NUM_CLASSES,)
    assert model.makes_masks == ('masks' in found) == masks
    assert ('pred_sem_seg' in result) == masks
    assert set(found.labels.tolist()) == ({0, 2} if stage in LABELS else {0, 1, 2})
    # In pixels of the original image, which is twice as large as the input.
    assert found.bboxes.max() > 96
    assert found.bboxes[:, [0, 2]].max() <= 192


def test_readouts_give_different_results(model):
    readouts = ('classification', 'detection', 'segmentation', 'calibration')
    scores = [read_stage(model, name, image())[0].pred_instances.scores for name in readouts]
    assert len({tuple(one.tolist()) for one in scores}) == 4


@pytest.mark.parametrize('name', [*STAGES, *LABELS])
def test_reading_another_stage_leaves_the_model_as_it_is(model, name):
    before = predictions_of(model, image())[0].pred_instances
    [sample] = read_stage(model, name, image())
    assert ('masks' in sample.pred_instances) == (name in WITH_MASKS)
    assert model.test_stage == 'segmentation'
    after = predictions_of(model, image())[0].pred_instances
    assert all(value.equal(after[key]) for key, value in before.items())


@pytest.mark.parametrize('name', STAGES)
def test_results_of_a_stage_do_not_read_tags(model, name):
    img, sample = image()
    plain = sample.clone()
    del plain.tags
    tagged, untagged = (
        read_stage(model, name, (img, one))[0].pred_instances for one in (sample, plain)
    )
    assert all(value.equal(untagged[key]) for key, value in tagged.items())


def test_the_readout_of_attention_is_the_pseudo_instances_that_supervise_stage_2(model):
    model.eval()
    evidence = model.read_evidence(collate(image()))
    with torch.no_grad():
        [seeded] = model.cascade.seed(evidence[0].batch_feats, evidence)
    pseudo = seeded.pseudo_instances
    [result] = model.cascade.read('attention', evidence)
    assert result.bboxes.equal(pseudo.bboxes * 2)
    assert result.labels.equal(pseudo.labels)
    assert result.scores.equal(pseudo.weights)
    pixels = seeded.instance_maps().on_image((128, 192), (0.5, 0.5))
    assert result.masks.equal(pixels >= 0.5)
    assert result.masks.any((1, 2)).all()


def test_the_readout_of_calibration_has_the_same_boxes_and_the_masks_of_stage_3(model):
    model.eval()
    data = collate(image())
    [explained] = model.explain(data)
    evidence = model.read_evidence(data)
    [attention] = model.cascade.read('attention', evidence)
    [result] = model.cascade.read('calibration', evidence)
    for name in ('bboxes', 'labels', 'scores'):
        assert result[name].equal(attention[name])
    pixels = explained.instance_maps('masks').on_image((128, 192), (0.5, 0.5))
    assert result.masks.equal(pixels >= 0.5)


def test_without_stage_3_the_readout_of_calibration_has_empty_masks():
    model = build_model(cascade=dict(refinement=None, segmentation=None))
    [sample] = read_stage(model, 'calibration', image())
    assert sample.pred_instances.masks.shape == (2, 128, 192)
    assert not sample.pred_instances.masks.any()


def test_pseudo_instances_of_a_full_calibration_are_the_validated_ones(full_model):
    evidence = full_model.eval().explain(collate(image()))[0]
    before = len(evidence.pseudo_instances)
    result = read_stage(full_model, 'calibration', image())[0].pred_instances
    assert len(result) >= before
    assert set(result.labels.tolist()) <= {0, 2}
    assert result.scores.max() <= 1
    [validated] = full_model.cascade.up([evidence])
    assert result.scores.equal(validated.pseudo_instances.weights)
    assert evidence.validated.weights.equal(validated.pseudo_instances.weights)


def test_images_of_unknown_tags_are_explained_up_to_the_labels(model):
    model.eval()
    evidence = model.read_evidence(collate(image()), tagged=False)
    [explained] = model.cascade.explain(evidence)
    assert 'pseudo_instances' not in explained
    assert explained.attention.values.shape[0] == NUM_CLASSES
    assert explained.proposals.scores.shape[1] == NUM_CLASSES


def test_boxes_of_a_mask_readout_are_those_of_its_region_stage(model):
    names = [model.cascade.region_stage(name) for name in STAGES]
    assert names == ['classification', 'detection', 'detection', 'segmentation']
    detection, refinement = (
        read_stage(model, name, image())[0].pred_instances for name in STAGES[1:3]
    )
    assert isinstance(detection, InstanceData)
    assert refinement.scores.equal(detection.scores)
    assert refinement.labels.equal(detection.labels)
