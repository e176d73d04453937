"""The configs of the full VOC: the published protocol, and a few iterations on a small devkit."""

import json
from pathlib import Path

import pytest
import torch
from devkit import make_devkit
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.registry import init_default_scope
from test_configs import narrow, settle
from test_end_to_end import run_tool
from test_models.test_configs import shrink

from mmlabelpenet.engine import freeze
from mmlabelpenet.engine.loops import build_phases
from mmlabelpenet.registry import MODELS, SCOPE
from mmlabelpenet.structures import Step
from mmlabelpenet.utils import register_all_modules

CONFIGS = Path(__file__).parents[1] / 'configs/label_penet'
NAMES = ('vgg16_voc07', 'vgg16_voc12', 'vgg16_voc12-trainval', 'r50_voc12-aug')


def load(name):
    return Config.fromfile(CONFIGS / f'label-penet_{name}.py')


def built(cfg):
    register_all_modules(init_default_scope=False)
    init_default_scope(SCOPE)
    shrink(cfg.model)
    return MODELS.build(cfg.model)


@pytest.mark.parametrize('processes', [1, 2, 4, 8])
@pytest.mark.parametrize(('name', 'updates', 'fall'), [
    ('vgg16_voc07', 50_000, 35_000), ('vgg16_voc12', 70_000, 50_000)
])  # fmt: skip
def test_as_many_images_are_seen_however_many_processes(
    name, updates, fall, processes, monkeypatch
):
    monkeypatch.setenv('WORLD_SIZE', str(processes))
    cfg = load(name)
    accumulation = cfg.optim_wrapper.accumulative_counts
    batch = cfg.train_dataloader.batch_size * processes * accumulation
    assert batch == max(processes, 4)
    assert cfg.optim_wrapper.optimizer.lr == pytest.approx(1e-3 * batch / 4)
    phases = build_phases(cfg.train_cfg.phases, cfg.train_cfg.order)
    lengths = {name: phase.length(1, accumulation) for name, phase in phases.items()}
    assert sum(lengths.values()) * processes == updates * 4
    # The rate of the last phase falls to a tenth after as many images as published.
    joint = lengths.pop('joint')
    share = (fall * 4 / processes - sum(lengths.values())) / joint
    rate = phases['joint'].rate
    assert rate(int((share - 0.001) * joint), joint) == pytest.approx(1.0)
    assert rate(int((share + 0.001) * joint), joint) == pytest.approx(0.1)


def test_weights_decay_and_biases_learn_twice_as_fast_without():
    cfg = load('vgg16_voc07')
    model = built(cfg)
    freeze(model, Step(learning=tuple(model.cascade)))
    groups = build_optim_wrapper(model, cfg.optim_wrapper).optimizer.param_groups
    rates = {id(g['params'][0]): (g['lr'], g['weight_decay'], g['momentum']) for g in groups}
    expected = {
        'cascade.detection.box_head.fc_cls.weight': (1e-3, 5e-4, 0.9),
        'cascade.detection.box_head.fc_cls.bias': (2e-3, 0.0, 0.9),
        'backbone.features.28.weight': (1e-4, 5e-4, 0.9),
        'backbone.features.28.bias': (2e-4, 0.0, 0.9),
    }
    parameters = dict(model.named_parameters())
    assert {name: pytest.approx(rates[id(parameters[name])]) for name in expected} == expected
    frozen = [name for name, one in parameters.items() if not one.requires_grad]
    assert all(name.startswith('backbone.features.') for name in frozen)
    assert {int(name.split('.')[2]) for name in frozen} == {0, 2, 5, 7}  # conv1 and conv2


@pytest.mark.parametrize('name', NAMES)
def test_scales_of_training_and_test_are_the_published_ones(name):
    cfg = load(name)
    (inner,) = [s for s in cfg.train_dataloader.dataset.pipeline if 'transforms' in s]
    resize, flip = inner.transforms
    assert [side for _, side in resize.scales] == [480, 576, 688, 864, 1200]
    assert flip.prob == 0.5
    views = cfg.tta_pipeline[-1].transforms
    assert [one.transforms[0].scale[1] for one in views[0]] == [480, 576, 688, 864, 1200]
    assert [one.transforms[0].prob for one in views[1]] == [0, 1]
    for stage in cfg.model.cascade.values():
        assert stage.get('test_cfg', {}).get('iou_threshold', 0.3) == 0.3


@pytest.mark.slow
@pytest.mark.parametrize('name', ['vgg16_voc07', 'r50_voc12-aug'])
def test_a_few_iterations_train_and_are_tested_at_several_scales(name, tmp_path, monkeypatch):
    make_devkit(tmp_path, num_train=2, num_val=1)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv('LOCAL_RANK', raising=False)
    cfg = load(name)
    parts = cfg.to_dict()
    settle(parts, tmp_path)
    for key in ('train', 'val', 'test', 'corloc'):
        parts[f'{key}_dataloader'].update(num_workers=0, persistent_workers=False)
    cfg = Config(parts)
    shrink(cfg.model)
    narrow(cfg.model)
    del cfg.tta_pipeline[-1].transforms[0][2:]
    for view, scale in zip(cfg.tta_pipeline[-1].transforms[0], [(96, 64), (160, 96)]):
        view.transforms[0].scale = scale
    cfg.optim_wrapper.accumulative_counts = 2
    cfg.train_cfg.val_begin = 100
    for phase_name, phase in cfg.train_cfg.phases.items():
        if phase_name != 'semantic':  # these configs have no semantic attention
            phase.iterations = 2  # one update
    cfg.dump('small.py')
    run_tool('train', 'small.py', '--work-dir', 'work')
    (checkpoint,) = (tmp_path / 'work').glob('*5.pth')
    weights = torch.load(checkpoint, map_location='cpu', weights_only=False)['state_dict']
    assert all(value.isfinite().all() for value in weights.values())
    names = ['bbox', 'corloc'] + ([] if '07' in name else ['segm'])
    run_tool('test', 'small.py', checkpoint, '--work-dir', 'work', '--tta', '--eval', *names)
    metrics = json.loads((tmp_path / 'work/metrics.json').read_text())
    assert 0 <= metrics['bbox_mAP_50'] <= 1
    assert 0 <= metrics['corloc'] <= 1
    assert ('segm_mAP_50' in metrics) == ('segm' in names)
