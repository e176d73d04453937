import math

import pytest
import torch
from mmengine.structures import InstanceData

from mmlabelpenet.models import SemanticAttention
from mmlabelpenet.structures import Evidence

from ..tiny import build_model, collate, evidence_of, image, losses_of, predictions_of

LEVEL = dict(in_channels=(1, 2), strides=(8, 16), levels=(1,))
SEMANTIC = dict(in_channels=(24, 40, 112), strides=(4, 8, 16), levels=(2,))


def labelled(height, width, instances, attention, tags=(1.0, 1.0, 0.0)):
    """Evidence after the calibration; instances are (label, weight, map on cells of 16)."""
    one = evidence_of(height, width)
    one.tags = torch.tensor(tags)
    one.attention = attention
    one.set_metainfo(dict(attention_stride=16, instance_stride=16))
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


def test_targets_are_classes_of_instances_background_and_nothing_between(semantic):
    first = torch.tensor([[0.9, 0.6, 0.4, 0.0]])
    second = torch.tensor([[0.0, 0.7, 0.0, 0.0]])
    attention = torch.zeros(3, 1, 4)
    one = labelled(16, 64, [(1, 0.8, first), (0, 0.5, second)], attention)
    labels, weights = semantic.targets(one, 1.0, (1, 4))
    assert labels.tolist() == [[1, 0, 3, 3]]
    torch.testing.assert_close(weights, torch.tensor([[0.8, 0.5, 0.0, 1.0]]))


def test_what_a_tagged_class_claims_is_no_background_but_an_untagged_one_claims_nothing(semantic):
    attention = torch.tensor([[[0.9, 0.0]], [[0.0, 0.0]], [[0.0, 0.9]]])
    one = labelled(16, 32, [(0, 1.0, torch.zeros(1, 2))], attention)
    assert semantic.targets(one, 1.0, (1, 2))[1].tolist() == [[0.0, 1.0]]


def test_instances_that_count_nothing_and_images_without_any_teach_no_class(semantic):
    attention = torch.zeros(3, 1, 2)
    idle = labelled(16, 32, [(0, 0.0, torch.ones(1, 2))], attention)
    empty = labelled(16, 32, [], attention, tags=(0.0, 0.0, 0.0))
    for one in (idle, empty):
        labels, weights = semantic.targets(one, 1.0, (1, 2))
        assert (labels == 3).all()
        assert (weights == 1).all()


def test_a_image_that_may_hold_more_than_its_tags_teaches_no_background(semantic):
    one = labelled(16, 32, [(0, 1.0, torch.tensor([[1.0, 0.0]]))], torch.zeros(3, 1, 2))
    one.known = torch.tensor([1.0, 1.0, 0.0])
    assert semantic.targets(one, 1.0, (1, 2))[1].tolist() == [[1.0, 0.0]]


def test_targets_of_a_larger_view_lie_at_the_same_places(semantic):
    mask = torch.zeros(6, 8)
    mask[2:4, 3:6] = 1
    one = labelled(96, 128, [(1, 1.0, mask)], torch.zeros(3, 6, 8))
    labels, _ = semantic.targets(one, 2.0, (12, 16))
    inside = labels == 1
    # bilinear borders pass .5 where the mask ends
    assert inside[4:8, 6:12].all()
    assert inside.sum() == 4 * 6


def test_each_class_of_a_image_and_the_background_count_alike(semantic):
    wide = torch.tensor([[1.0, 1.0, 1.0, 0.0, 0.0, 0.0]])
    one = labelled(16, 96, [(0, 1.0, wide)], torch.zeros(3, 1, 6))
    feats = (None, torch.zeros(1, 2, 1, 6))
    semantic.bias.data = torch.tensor([2.0, 0.0, 0.0, 0.0])
    total = math.log(math.exp(2) + 3)
    expected = ((total - 2) + total) / 2
    assert semantic.loss(feats, [one]).item() == pytest.approx(expected, rel=1e-5)
    fewer = torch.tensor([[1.0, 0.0, 0.0, 0.0, 0.0, 0.0]])
    one = labelled(16, 96, [(0, 1.0, fewer)], torch.zeros(3, 1, 6))
    assert semantic.loss(feats, [one]).item() == pytest.approx(expected, rel=1e-5)


def test_views_count_as_the_images_do(semantic):
    one = labelled(16, 32, [(0, 1.0, torch.tensor([[1.0, 0.0]]))], torch.zeros(3, 1, 2))
    torch.nn.init.normal_(semantic.classifiers[0].weight)
    own, larger = torch.rand(1, 2, 1, 2), torch.rand(1, 2, 2, 4)
    view = Evidence(metainfo=dict(img_shape=(32, 64)))
    view.feats = (None, larger)
    alone = semantic.loss((None, own), [one])
    logits = semantic.cell_logits(view.feats, 0, (32, 64))
    seen = semantic._image_loss(logits, one, 2.0)
    one.views = [view]
    torch.testing.assert_close(semantic.loss((None, own), [one]), (alone + seen) / 2)


def test_it_shows_nothing_before_it_has_learnt_and_then_what_it_was_taught(semantic):
    one = labelled(16, 64, [(0, 1.0, torch.tensor([[1.0, 1.0, 0.0, 0.0]]))], torch.zeros(3, 1, 4))
    feats = (None, torch.tensor([[[[1.0, 1.0, 0.0, 0.0]], [[0.0, 0.0, 1.0, 1.0]]]]))
    assert (semantic.look(feats, 0, one).attention == 0).all()
    optimiser = torch.optim.SGD(semantic.parameters(), lr=2.0)
    for _ in range(50):
        optimiser.zero_grad()
        semantic.loss(feats, [one]).backward()
        optimiser.step()
    seen = semantic.look(feats, 0, one)
    assert seen.attention_stride == 16
    assert (seen.attention[0, 0, :2] > 0.5).all()
    assert (seen.attention[0, 0, 2:] == 0).all()
    assert (seen.attention[1:] <= 0.01).all()


def test_only_tagged_classes_compete_where_tags_are_known(semantic):
    semantic.bias.data = torch.tensor([1.0, 0.0, 9.0, 0.0])
    feats = (None, torch.zeros(1, 2, 1, 1))
    one = labelled(16, 16, [], torch.zeros(3, 1, 1))
    seen = semantic.look(feats, 0, one).attention[:, 0, 0]
    whole = math.exp(1) + 2
    assert seen.tolist() == pytest.approx([math.exp(1) / whole - 1 / 3, 0, 0], abs=1e-6)
    one.known = torch.tensor([1.0, 1.0, 0.0])
    assert semantic.look(feats, 0, one).attention[2, 0, 0] > 0.7
    del one.tags
    assert semantic.look(feats, 0, one).attention[2, 0, 0] > 0.7


@pytest.fixture
def model():
    model = build_model(calibration=dict(semantic=SEMANTIC), attention_scales=(1.5,))
    model.calibration.init_weights()
    return model


def test_in_a_phase_of_its_own_it_alone_learns_and_its_teacher_stays_the_same(model):
    model.set_active(['calibration'], False)
    model.train()
    learning = {name for name, value in model.named_parameters() if value.requires_grad}
    assert learning == {f'calibration.semantic.{x}' for x in ('classifiers.0.weight', 'bias')}
    assert model.labels_fixed
    losses = losses_of(model, image(), image(96, 64, seed=1))
    assert {name for name in losses if 'loss' in name} == {'calibration.loss_semantic'}
    losses['calibration.loss_semantic'].backward()
    assert model.calibration.semantic.bias.grad.abs().sum() > 0

    taught = []
    original = model.calibration.semantic.loss
    model.calibration.semantic.loss = lambda f, e: taught.append(e) or original(f, e)
    for _ in range(2):
        torch.nn.init.normal_(model.calibration.semantic.bias, std=5.0)
        losses_of(model, image())
    first, second = (one[0].pseudo_instances.attention for one in taught)
    assert first.equal(second)


def test_after_it_has_learnt_it_adds_to_the_attention(model):
    model.set_active(['detection'], False)
    model.eval()
    data = collate(image())
    before = model.explain(data)[0].attention
    torch.nn.init.normal_(model.calibration.semantic.classifiers[0].weight, std=3.0)
    after = model.explain(data)[0].attention
    assert not torch.allclose(before, after)
    model.calibration.trusts_semantic = False
    torch.testing.assert_close(model.explain(data)[0].attention, before)


def test_it_learns_with_the_stages_where_it_is_named_among_them(model):
    model.set_active(['classification', 'calibration', 'detection'], True)
    assert not model.labels_fixed
    assert model.calibration.trusts_semantic
    losses = losses_of(model.train(), image())
    parts = {name.split('.')[0] for name in losses if 'loss' in name}
    assert parts == {'classification', 'calibration', 'detection'}


def test_a_calibration_without_a_part_that_learns_is_no_stage():
    for changes in ({}, dict(semantic=SEMANTIC, mode='off')):
        plain = build_model(calibration=changes)
        with pytest.raises(ValueError, match=r"\['calibration'\] are not in the cascade"):
            plain.set_active(['calibration'], False)


@pytest.mark.parametrize('stage', ['classification', 'detection', 'segmentation'])
def test_predictions_do_not_look_at_the_tags_that_a_test_image_comes_with(model, stage):
    model.tested = stage
    torch.nn.init.normal_(model.calibration.semantic.classifiers[0].weight, std=3.0)
    torch.nn.init.normal_(model.cascade['classification'].attention.classifiers[0].weight)
    told, other, untold = image(), image(), image()
    other[1].tags = 1 - told[1].tags
    del untold[1].tags
    first, *others = (predictions_of(model.eval(), one)[0] for one in (told, other, untold))
    assert len(first.pred_instances) > 0
    for one in others:
        assert one.pred_instances.scores.equal(first.pred_instances.scores)
        assert one.pred_image_scores.equal(first.pred_image_scores)


def test_scores_of_regions_do_not_look_at_tags_either(model):
    torch.nn.init.normal_(model.calibration.semantic.classifiers[0].weight, std=3.0)
    scores = []
    for tags in ([1, 0, 0], [0, 1, 1]):
        data = image()
        data[1].tags = torch.tensor(tags).float()
        scores.append(model.eval().score_regions(*model.read(collate(data)), 'classification'))
    assert scores[0][0][0].equal(scores[1][0][0])
