from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper

from mmlabelpenet.engine.loops.curriculum_train_loop import build_phases
from mmlabelpenet.models import DilatedVGG, EfficientNetLite, LabelPEnet
from mmlabelpenet.registry import MODELS

from .tiny import collate, image, train_as

CONFIGS = Path(__file__).parents[2] / 'configs'
# The whole cascade on each kind of backbone; every other config: tests/test_configs.py.
NAMES = sorted(str(path.relative_to(CONFIGS)) for path in CONFIGS.glob('label_penet/*.py'))


def shrink(cfg):
    """Make fully connected layers small, in place, and leave pretrained weights out."""
    for key, value in list(cfg.items()):
        if key in ('fc_channels', 'num_samples') and value is not None:
            cfg[key] = 16
        elif key in ('init_cfg', 'fc_init_cfg'):
            cfg[key] = None
        elif isinstance(value, dict):
            shrink(value)


def load(name):
    cfg = Config.fromfile(CONFIGS / name)
    shrink(cfg.model)
    return cfg


def give_attention(model):
    """Set the classifier's weights to the signs of mean features, so that no map is empty."""
    attention = model.cascade['classification'].attention
    with torch.no_grad():
        maps = model.eval().backbone(torch.randn(1, 3, 64, 96))
    for level, classifier in zip(attention.levels, attention.classifiers):
        mean = maps[level].mean((0, 2, 3))[None, :, None, None]
        classifier.weight.data.copy_(mean.sign().expand_as(classifier.weight))


def test_there_are_configs():
    assert len(NAMES) >= 7


@pytest.mark.parametrize('name', NAMES)
def test_the_model_of_a_config_trains_a_step_and_predicts(name):
    cfg = load(name)
    model = MODELS.build(cfg.model)
    assert isinstance(model, LabelPEnet)
    give_attention(model)
    train_as(model, learning=tuple(model.cascade))
    tags = torch.zeros(cfg.model.num_classes)
    tags[1] = 1
    images = [image(64, 96, tags.tolist()), image(96, 64, tags.tolist(), seed=1)]
    cfg.optim_wrapper.accumulative_counts = 1  # so that a step is an update
    optim_wrapper = build_optim_wrapper(model, cfg.optim_wrapper)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    logged = model.train_step(collate(*images), optim_wrapper)
    assert logged['loss'].isfinite()
    assert all(value.isfinite().all() for value in model.state_dict().values())
    moved = {
        name.split('.')[1] if name.startswith('cascade') else 'backbone'
        for name, value in model.state_dict().items()
        if not value.equal(before[name])
    }
    assert moved == {'backbone', *model.cascade}
    result = model.eval().test_step(collate(images[0]))[0]
    assert set(result.pred_instances.labels.tolist()) == set(range(cfg.model.num_classes))
    assert tuple(result.pred_instances.masks.shape[1:]) == (128, 192)


@pytest.mark.parametrize('name', NAMES)
def test_phases_train_each_stage_of_the_cascade_once_and_then_all_together(name):
    cfg = load(name)
    stages = [stage for stage, part in cfg.model.cascade.items() if part is not None]
    by_name = build_phases(cfg.train_cfg.phases, cfg.train_cfg.order)
    semantic = by_name.pop('semantic', None)
    if cfg.model.get('proposals') is not None:
        assert by_name.popitem()[1].stages == ('proposals',)
    assert (semantic is None) == (cfg.model.calibration.get('semantic') is None)
    assert semantic is None or semantic.stages == ('semantic',)
    if (lap := by_name.pop('lap', None)) is not None:
        assert lap.relabel is True
        assert lap.stages == tuple(stages[1:])
        # The joint phase learns from attention's labels: as they are now, or made anew by it.
        assert by_name['joint'].relabel == 'calibration' or not by_name['joint'].stored_labels
    if (final := by_name.pop('final', None)) is not None:
        assert (final.stages, final.backbone) == (tuple(stages), True)
    phases = list(by_name.values())
    assert [phase.stages for phase in phases] == [(s,) for s in stages] + [tuple(stages)]
    assert [phase.backbone for phase in phases] == [False] * len(stages) + [True]


@pytest.mark.parametrize('name', NAMES)
def test_levels_of_a_config_are_those_of_its_backbone(name):
    cfg = load(name)
    model = MODELS.build(cfg.model)
    with torch.no_grad():
        maps = model.eval().backbone(torch.zeros(1, 3, 64, 64))
    strides = cfg.model.calibration.sharpen.strides
    assert [64 // one.shape[2] for one in maps] == list(strides)
    attention = cfg.model.cascade.classification.attention
    assert [one.shape[1] for one in maps] == list(attention.in_channels)
    assert list(attention.strides) == list(strides)


def test_the_three_kinds_of_backbone_are_covered():
    kinds = {type(MODELS.build(load(name).model.backbone)) for name in NAMES}
    assert {DilatedVGG, EfficientNetLite, MODELS.get('ResNet')} == kinds
