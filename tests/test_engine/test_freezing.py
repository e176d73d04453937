import pytest
from test_models.tiny import STRIDES, build_model, image, learning_parts, losses_of, train_as

from mmlabelpenet.engine import copy_parts, freeze
from mmlabelpenet.models import STAGES
from mmlabelpenet.structures import Step

SEMANTIC = dict(semantic=dict(in_channels=(24, 40, 112), strides=STRIDES))


@pytest.fixture(scope='module')
def shared():
    return build_model()


@pytest.fixture
def model(shared):
    """The small model in training, all stages trainable."""
    return train_as(shared)


@pytest.mark.parametrize('name', STAGES)
def test_only_the_stage_that_learns_gets_gradient_and_loss(model, name):
    freeze(model, Step(learning=(name,), backbone=False))
    losses = losses_of(model, image())
    assert {key.split('.')[0] for key in losses} == {name}
    sum(losses.values()).backward()
    assert learning_parts(model) == {name}
    assert model.cascade[name].training
    others = [part for part in STAGES if part != name]
    assert not any(model.cascade[other].training for other in others)
    assert not model.backbone.training
    assert not any(p.requires_grad for p in model.backbone.parameters())


def test_semantic_attention_learns_by_the_name_of_its_stage():
    model = train_as(build_model(calibration=SEMANTIC), learning=('semantic',), backbone=False)
    losses = losses_of(model, image())
    assert losses['semantic.loss_semantic'] > 0
    losses['semantic.loss_semantic'].backward()
    assert learning_parts(model) == {'calibration'}
    freeze(model, Step(learning=STAGES))
    assert not any(p.requires_grad for p in model.calibration.parameters())


def test_the_backbone_learns_with_a_stage_except_for_its_frozen_blocks(model):
    freeze(model, Step(learning=('classification',), backbone=True))
    sum(losses_of(model, image()).values()).backward()
    assert learning_parts(model) == {'backbone', 'classification'}
    assert model.backbone.stem.conv.weight.grad is None
    assert model.backbone.stages[1][0].layers[0].conv.weight.grad is not None


def test_freezing_is_undone_by_the_next_phase(model):
    freeze(model, Step(learning=('detection',), backbone=False))
    freeze(model, Step(learning=STAGES))
    sum(losses_of(model, image()).values()).backward()
    assert learning_parts(model) == {'backbone', *STAGES}


def test_frozen_parts_stay_in_evaluation_when_training_is_entered_again(model):
    freeze(model, Step(learning=('detection',), backbone=False))
    model.eval()
    model.train()
    assert [name for name in STAGES if model.cascade[name].training] == ['detection']
    assert not model.backbone.training


def test_a_step_alone_freezes_nothing(model):
    model.step = Step(learning=('detection',), backbone=False)
    assert all(parameter.requires_grad for parameter in model.cascade.parameters())
    freeze(model, model.step)
    frozen = [name for name in STAGES if name != 'detection']
    parameters = [p for name in frozen for p in model.cascade[name].parameters()]
    assert not any(parameter.requires_grad for parameter in parameters)


@pytest.mark.parametrize('stage', ['polishing', 'calibration', 'semantic'])
def test_stages_that_are_unknown_or_do_not_learn_are_refused(model, stage):
    before = model.step
    with pytest.raises(ValueError, match=rf"\['{stage}'\] are not in the cascade"):
        freeze(model, Step(learning=(stage, 'detection'), backbone=False))
    assert model.step is before
    assert all(parameter.requires_grad for parameter in model.cascade.parameters())


def test_a_part_is_initialised_as_a_copy_of_another(model):
    box_heads = {name: model.cascade[name].box_head for name in ('detection', 'segmentation')}

    def same():
        states = [head.state_dict() for head in box_heads.values()]
        return all(value.equal(states[1][name]) for name, value in states[0].items())

    assert not same()
    copy_parts(model, {'segmentation.box_head': 'detection.box_head'})
    assert same()
    # They are copies: one may learn without the other.
    box_heads['detection'].fc_cls.weight.data += 1
    assert not same()
