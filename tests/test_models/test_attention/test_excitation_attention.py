import copy
from types import SimpleNamespace

import pytest
import torch

from mmlabelpenet.models import ExcitationAttention

from ..tiny import (
    LEVELS,
    NUM_CLASSES,
    build_model,
    evidence_of,
    image,
    losses_of,
    predictions_of,
    random_feats,
    with_feats,
)

EXCITATION = dict(type='ExcitationAttention', levels=(1, 2), level=1)


@pytest.fixture(scope='module')
def model():
    """The small model with excitation in place of class activation maps."""
    return build_model(cascade=dict(classification=classification(EXCITATION)))


def classification(attention):
    return dict(type='ClassificationStage', attention=LEVELS | attention, score_proposals=False)


@pytest.mark.parametrize('contrastive', [False, True])
def test_maps_lie_on_the_grid_of_their_level_within_0_and_1(model, contrastive):
    attention = model.cascade['classification'].attention
    attention.contrastive = contrastive
    feats = model.backbone(torch.randn(1, 3, 64, 96))
    maps = attention(evidence_of(64, 96, feats=feats))
    assert maps.stride == attention.stride == 8
    assert tuple(maps.values.shape) == (NUM_CLASSES, 8, 12)
    assert maps.values.min() >= 0
    torch.testing.assert_close(maps.values.amax((1, 2)), torch.ones(NUM_CLASSES))


def test_classes_without_tag_get_an_empty_map(model):
    attention = model.cascade['classification'].attention
    feats = model.backbone(torch.randn(1, 3, 64, 96))
    one = evidence_of(64, 96, feats=feats)
    full = attention(one).values
    tagged = attention(one.replace(tags=torch.tensor([0.0, 1, 0]))).values
    assert tagged[[0, 2]].eq(0).all()
    torch.testing.assert_close(tagged[1], full[1])
    none = attention(one.replace(tags=torch.zeros(3))).values
    assert none.eq(0).all()


def test_the_maps_of_an_image_do_not_depend_on_the_batch(model):
    attention = model.cascade['classification'].attention
    feats = model.backbone(torch.randn(2, 3, 64, 96))
    second = with_feats(feats, [evidence_of(64, 96), evidence_of(64, 96)])[1]
    alone = evidence_of(64, 96, feats=[level[1:] for level in feats])
    together, alone = attention(second).values, attention(alone).values
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-5)


def test_each_level_starts_with_the_mass_that_it_adds_to_the_logit():
    attention = ExcitationAttention(NUM_CLASSES, **LEVELS, levels=(1, 2), level=1)
    for classifier in attention.classifiers:
        torch.nn.init.uniform_(classifier.weight)
    feats = random_feats(64, 96)
    outputs = [feats[level] for level in attention.levels]
    tails = [SimpleNamespace(output=output) for output in outputs]
    mass = attention._top(tails, torch.tensor([2]), 1.0)
    added = torch.stack(
        [
            (classifier.weight[2, :, 0, 0] * output.mean((0, 2, 3))).sum()
            for classifier, output in zip(attention.classifiers, outputs)
        ]
    )
    assert [tuple(part.shape[1:]) for part in mass] == [(40, 8, 12), (112, 4, 6)]
    torch.testing.assert_close(torch.stack([part.sum() for part in mass]), added / added.sum())


def test_where_nothing_excites_all_cells_share_the_mass():
    attention = ExcitationAttention(NUM_CLASSES, **LEVELS, levels=(2,), level=2)
    [top] = attention._top([SimpleNamespace(output=torch.zeros(1, 112, 4, 6))], torch.arange(1), 1)
    torch.testing.assert_close(top.sum(1), torch.full((1, 4, 6), 1 / 24))


def test_the_cascade_trains_and_predicts_and_holds_no_weight_twice(model):
    model.train()
    losses = losses_of(model, image(), image(48, 80, seed=1))
    sum(losses.values()).backward()
    assert all(loss.isfinite() for loss in losses.values())
    classifier = model.cascade['classification'].attention.classifiers[0]
    assert classifier.weight.grad is not None
    model.eval()
    assert len(predictions_of(model, image())) == 1
    assert not [name for name in model.state_dict() if 'tail' in name]
    twin = copy.deepcopy(model)
    tail = twin.cascade['classification'].attention.tails[2]
    assert next(tail.parameters()) is next(twin.backbone.stages[3].parameters())


def test_a_classifier_may_not_read_finer_than_its_maps():
    with pytest.raises(ValueError, match='finer'):
        ExcitationAttention(NUM_CLASSES, **LEVELS, levels=(0, 2), level=1)
