import math

import pytest
import torch
from mmengine.structures import InstanceData

from mmlabelpenet.engine import freeze
from mmlabelpenet.models import SemanticAttention
from mmlabelpenet.registry import MODELS
from mmlabelpenet.structures import Maps, Step

from ..tiny import build_model, collate, evidence_of, image, losses_of, model_cfg

LEVEL = dict(in_channels=(1, 2), strides=(8, 16), levels=(1,))
SEMANTIC = dict(in_channels=(24, 40, 112), strides=(4, 8, 16), levels=(2,))


def labelled(height, width, instances, attention, tags=(1.0, 1.0, 0.0), level=None):
    """Evidence after the calibration, with the map of the level that the classifier reads.

    Instances are (label, weight, map on cells of 16).
    """
    one = evidence_of(height, width, feats=(level, level))
    one.tags = torch.tensor(tags)
    one.attention = Maps(attention, 16)
    one.instance_stride = 16
    labels, weights, maps = zip(*instances) if instances else ((), (), ())
    size = (len(instances), *attention.shape[1:])
    one.pseudo_instances = InstanceData(
        labels=torch.tensor(labels, dtype=torch.long),
        weights=torch.tensor(weights, dtype=torch.float32),
        attention=torch.stack(maps) if maps else torch.zeros(size),
    )
    return one


@pytest.fixture
def semantic():
    semantic = SemanticAttention(3, **LEVEL)
    semantic.init_weights()
    return semantic


def test_targets_are_classes_of_instances_and_background_and_cells_between_are_ignored(semantic):
    first = torch.tensor([[0.9, 0.6, 0.4, 0.0]])
    second = torch.tensor([[0.0, 0.7, 0.0, 0.0]])
    attention = torch.zeros(3, 1, 4)
    one = labelled(16, 64, [(1, 0.8, first), (0, 0.5, second)], attention)
    labels, weights = semantic.targets(one, 1.0, (1, 4))
    assert labels.tolist() == [[1, 0, 3, 3]]
    torch.testing.assert_close(weights, torch.tensor([[0.8, 0.5, 0.0, 1.0]]))


def test_attention_of_a_tagged_class_is_no_background_that_of_an_untagged_one_is(semantic):
    attention = torch.tensor([[[0.9, 0.0]], [[0.0, 0.0]], [[0.0, 0.9]]])
    one = labelled(16, 32, [(0, 1.0, torch.zeros(1, 2))], attention)
    assert semantic.targets(one, 1.0, (1, 2))[1].tolist() == [[0.0, 1.0]]


def test_instances_of_weight_zero_and_images_without_any_label_all_cells_as_background(semantic):
    attention = torch.zeros(3, 1, 2)
    idle = labelled(16, 32, [(0, 0.0, torch.ones(1, 2))], attention)
    empty = labelled(16, 32, [], attention, tags=(0.0, 0.0, 0.0))
    for one in (idle, empty):
        labels, weights = semantic.targets(one, 1.0, (1, 2))
        assert (labels == 3).all()
        assert (weights == 1).all()


def test_an_image_that_may_hold_more_than_its_tags_labels_no_background(semantic):
    one = labelled(16, 32, [(0, 1.0, torch.tensor([[1.0, 0.0]]))], torch.zeros(3, 1, 2))
    one.known = torch.tensor([1.0, 1.0, 0.0])
    assert semantic.targets(one, 1.0, (1, 2))[1].tolist() == [[1.0, 0.0]]


def test_targets_of_a_larger_scale_lie_at_the_same_places(semantic):
    mask = torch.zeros(6, 8)
    mask[2:4, 3:6] = 1
    one = labelled(96, 128, [(1, 1.0, mask)], torch.zeros(3, 6, 8))
    labels, _ = semantic.targets(one, 2.0, (12, 16))
    inside = labels == 1
    # bilinear borders pass .5 where the mask ends
    assert inside[4:8, 6:12].all()
    assert inside.sum() == 4 * 6


def test_each_class_of_an_image_and_the_background_have_the_same_weight(semantic):
    wide = torch.tensor([[1.0, 1.0, 1.0, 0.0, 0.0, 0.0]])
    level = torch.zeros(1, 2, 1, 6)
    one = labelled(16, 96, [(0, 1.0, wide)], torch.zeros(3, 1, 6), level=level)
    semantic.bias.data = torch.tensor([2.0, 0.0, 0.0, 0.0])
    total = math.log(math.exp(2) + 3)
    expected = ((total - 2) + total) / 2
    assert semantic.loss([one]).item() == pytest.approx(expected, rel=1e-5)
    fewer = torch.tensor([[1.0, 0.0, 0.0, 0.0, 0.0, 0.0]])
    one = labelled(16, 96, [(0, 1.0, fewer)], torch.zeros(3, 1, 6), level=level)
    assert semantic.loss([one]).item() == pytest.approx(expected, rel=1e-5)


def test_scales_count_as_the_images_do(semantic):
    torch.nn.init.normal_(semantic.classifiers[0].weight)
    mask, own, larger = torch.tensor([[1.0, 0.0]]), torch.rand(1, 2, 1, 2), torch.rand(1, 2, 2, 4)
    one = labelled(16, 32, [(0, 1.0, mask)], torch.zeros(3, 1, 2), level=own)
    scaled = evidence_of(32, 64, feats=(larger, larger))
    alone = semantic.loss([one])
    at_scale = semantic._image_loss(scaled, one)
    assert at_scale != alone
    one.scales = [scaled]
    torch.testing.assert_close(semantic.loss([one]), (alone + at_scale) / 2)


def test_maps_are_empty_before_training_and_then_those_that_supervised_it(semantic):
    mask = torch.tensor([[1.0, 1.0, 0.0, 0.0]])
    level = torch.tensor([[[[1.0, 1.0, 0.0, 0.0]], [[0.0, 0.0, 1.0, 1.0]]]])
    one = labelled(16, 64, [(0, 1.0, mask)], torch.zeros(3, 1, 4), level=level)
    assert (semantic(one).values == 0).all()
    optimiser = torch.optim.SGD(semantic.parameters(), lr=2.0)
    for _ in range(50):
        optimiser.zero_grad()
        semantic.loss([one]).backward()
        optimiser.step()
    maps = semantic(one)
    assert maps.stride == 16
    assert (maps.values[0, 0, :2] > 0.5).all()
    assert (maps.values[0, 0, 2:] == 0).all()
    assert (maps.values[1:] <= 0.01).all()


def test_only_tagged_classes_compete_where_tags_are_known(semantic):
    semantic.bias.data = torch.tensor([1.0, 0.0, 9.0, 0.0])
    one = labelled(16, 16, [], torch.zeros(3, 1, 1), level=torch.zeros(1, 2, 1, 1))
    whole = math.exp(1) + 2
    expected = [math.exp(1) / whole - 1 / 3, 0, 0]
    assert semantic(one).values[:, 0, 0].tolist() == pytest.approx(expected, abs=1e-6)
    one.known = torch.tensor([1.0, 1.0, 0.0])
    assert semantic(one).values[2, 0, 0] > 0.7
    del one.tags
    assert semantic(one).values[2, 0, 0] > 0.7


@pytest.fixture
def model():
    model = build_model(calibration=dict(semantic=SEMANTIC), attention_scales=(1.5,))
    model.calibration.init_weights()
    return model


def test_in_a_phase_of_its_own_it_alone_learns_and_its_labels_stay_the_same(model):
    freeze(model, Step(learning=('semantic',), backbone=False))
    model.train()
    learning = {name for name, value in model.named_parameters() if value.requires_grad}
    assert learning == {f'calibration.semantic.{x}' for x in ('classifiers.0.weight', 'bias')}
    assert model.cascade.labels_cacheable(model.step)
    losses = losses_of(model, image(), image(96, 64, seed=1))
    assert {name for name in losses if 'loss' in name} == {'semantic.loss_semantic'}
    losses['semantic.loss_semantic'].backward()
    assert model.calibration.semantic.bias.grad.abs().sum() > 0

    learned_from = []
    original = model.calibration.semantic.loss
    model.calibration.semantic.loss = lambda e: learned_from.append(e) or original(e)
    for _ in range(2):
        torch.nn.init.normal_(model.calibration.semantic.bias, std=5.0)
        losses_of(model, image())
    first, second = (one[0].pseudo_instances.attention for one in learned_from)
    assert first.equal(second)


def test_after_training_it_adds_to_the_attention(model):
    freeze(model, Step(learning=('detection',), backbone=False))
    model.eval()
    data = collate(image())
    before = model.explain(data)[0].attention
    torch.nn.init.normal_(model.calibration.semantic.classifiers[0].weight, std=3.0)
    after = model.explain(data)[0].attention
    assert after.stride == before.stride
    assert not torch.allclose(before.values, after.values)
    model.calibration.use_semantic = False
    torch.testing.assert_close(model.explain(data)[0].attention.values, before.values)


def test_it_learns_with_the_stages_where_the_phase_names_it_among_them(model):
    freeze(model, Step(learning=('classification', 'semantic', 'detection')))
    assert not model.cascade.labels_cacheable(model.step)
    assert model.calibration.use_semantic
    losses = losses_of(model.train(), image())
    parts = {name.split('.')[0] for name in losses if 'loss' in name}
    assert parts == {'classification', 'semantic', 'detection'}


def test_a_calibration_without_semantic_attention_has_no_step_that_learns():
    baseline = dict(type='MinedProposals', num_classes=3)
    for model in (build_model(), MODELS.build(model_cfg() | dict(calibration=baseline))):
        with pytest.raises(ValueError, match=r"\['semantic'\] are not in the cascade"):
            freeze(model, Step(learning=('semantic',), backbone=False))
        with pytest.raises(ValueError, match=r"\['calibration'\] are not in the cascade"):
            freeze(model, Step(learning=('calibration',), backbone=False))


@pytest.mark.parametrize('stage', ['classification', 'detection', 'segmentation'])
def test_predictions_do_not_depend_on_the_tags_of_a_test_image(model, stage):
    torch.nn.init.normal_(model.calibration.semantic.classifiers[0].weight, std=3.0)
    torch.nn.init.normal_(model.cascade['classification'].attention.classifiers[0].weight)
    tagged, other, untagged = image(), image(), image()
    other[1].tags = 1 - tagged[1].tags
    del untagged[1].tags
    model.eval()
    first, *others = (model.read(collate(one), stage)[0] for one in (tagged, other, untagged))
    assert len(first.pred_instances) > 0
    for one in others:
        assert one.pred_instances.scores.equal(first.pred_instances.scores)
        assert one.pred_image_scores.equal(first.pred_image_scores)


def test_scores_of_regions_do_not_depend_on_tags_either(model):
    torch.nn.init.normal_(model.calibration.semantic.classifiers[0].weight, std=3.0)
    model.eval()
    scores = []
    for tags in ([1, 0, 0], [0, 1, 1]):
        data = image()
        data[1].tags = torch.tensor(tags).float()
        evidence = model.read_evidence(collate(data), tagged=False)
        evidence = model.cascade.infer('classification', evidence)
        stage = model.cascade['classification']
        scores.append(stage.score_regions(evidence[0].batch_feats, evidence)[0][0])
    assert scores[0].equal(scores[1])


def test_the_last_level_is_read_by_default():
    attention = SemanticAttention(3, in_channels=(1, 2, 3), strides=(8, 16, 32))
    assert attention.levels == (2,)
    assert attention.stride == 32
