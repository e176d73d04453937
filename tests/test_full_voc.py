"""The configs of the full VOC: the published protocol, and a few iterations on a small devkit."""

import json
from pathlib import Path

import pytest
import torch
from devkit import make_devkit
from mmcv.cnn import VGG
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.registry import init_default_scope
from test_configs import narrow, settle
from test_end_to_end import run_tool
from test_models.test_configs import shrink

from mmlabelpenet.engine import copy_parts, freeze
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
    # The rate falls to a tenth after as many images as published: in the last phase.
    final = lengths.pop('final')
    assert sum(lengths.values()) * processes == fall * 4
    before, after = phases['joint'].rate, phases['final'].rate
    assert before(1000, 2000) == before(1999, 2000) == pytest.approx(1.0)
    assert after(1000, final) == after(final - 1, final) == pytest.approx(0.1)
    # The backbone learns in at least four of five updates.
    assert [name for name in phases if phases[name].backbone] == ['joint', 'final']
    assert lengths['joint'] + final >= 0.8 * (sum(lengths.values()) + final)


def test_weights_decay_and_biases_learn_twice_as_fast_without():
    cfg = load('vgg16_voc07')
    model = built(cfg)
    freeze(model, Step(learning=tuple(model.cascade)))
    groups = build_optim_wrapper(model, cfg.optim_wrapper).optimizer.param_groups
    rates = {id(g['params'][0]): (g['lr'], g['weight_decay'], g['momentum']) for g in groups}
    expected = {
        'cascade.detection.box_head.fc_cls.weight': (1e-3, 5e-4, 0.9),
        'cascade.detection.box_head.fc_cls.bias': (2e-3, 0.0, 0.9),
        # as fast as the heads, as in OICR and PCL
        'backbone.features.28.weight': (1e-3, 5e-4, 0.9),
        'backbone.features.28.bias': (2e-3, 0.0, 0.9),
    }
    parameters = dict(model.named_parameters())
    assert {name: pytest.approx(rates[id(parameters[name])]) for name in expected} == expected
    frozen = [name for name, one in parameters.items() if not one.requires_grad]
    # The semantic attention, which learns in a phase of its own, is frozen too.
    assert {name.split('.')[0] for name in frozen} == {'backbone', 'calibration'}
    frozen = [name for name in frozen if name.startswith('backbone.features.')]
    assert {int(name.split('.')[2]) for name in frozen} == {0, 2, 5, 7}  # conv1 and conv2


def vgg16_weights(width):
    """Weights of torchvision's VGG16 by their names, its fully connected layers narrower."""
    plain = VGG(depth=16)  # its convolutions have torchvision's names
    weights = {key: value for key, value in plain.state_dict().items() if 'features' in key}
    for number, inputs, outputs in ((0, 512 * 7 * 7, width), (3, width, width), (6, width, 1000)):
        weights[f'classifier.{number}.weight'] = torch.randn(outputs, inputs)
        weights[f'classifier.{number}.bias'] = torch.randn(outputs)
    return weights


def test_every_tensor_of_imagenet_s_vgg16_but_its_classifier_lands(tmp_path, monkeypatch):
    weights = vgg16_weights(16)
    # torch looks here before it downloads a file of this name
    folder = tmp_path / 'hub/checkpoints'
    folder.mkdir(parents=True)
    monkeypatch.setenv('TORCH_HOME', str(tmp_path))
    torch.save(weights, folder / 'vgg16-397923af.pth')
    cfg = load('vgg16_voc07')
    start, fcs = cfg.model.backbone.init_cfg, cfg.model.cascade.classification.roi_features
    fc_start = fcs.fc_init_cfg
    shrink(cfg.model)
    cfg.model.backbone.init_cfg, fcs.fc_init_cfg = start, fc_start
    register_all_modules(init_default_scope=False)
    init_default_scope(SCOPE)
    model = MODELS.build(cfg.model)
    model.init_weights()
    stage = model.cascade.classification
    names = {f'features.{name}': one for name, one in model.backbone.features.state_dict().items()}
    names |= {f'classifier.{k}': one for k, one in stage.roi_features.fcs.state_dict().items()}
    assert len(names) == 26 + 4
    assert {*weights} - {*names} == {'classifier.6.weight', 'classifier.6.bias'}
    assert all(torch.equal(one, weights[name]) for name, one in names.items())
    # Modules 2 and 4 start from them too.
    phases = build_phases(cfg.train_cfg.phases, cfg.train_cfg.order)
    for phase in ('detection', 'segmentation'):
        copy_parts(model, phases[phase].start_from)
        fcs = model.cascade[phase].box_head.roi_features.fcs
        assert torch.equal(fcs[3].weight, weights['classifier.3.weight'])


def resnet50_names():
    """Names of the weights of torchvision's ResNet-50 without its classifier."""
    norm = ('weight', 'bias', 'running_mean', 'running_var', 'num_batches_tracked')
    layers = [('conv1', 'bn1')]
    for stage, blocks in enumerate((3, 4, 6, 3), start=1):
        for block in range(blocks):
            place = f'layer{stage}.{block}.'
            layers += [(f'{place}conv{i}', f'{place}bn{i}') for i in (1, 2, 3)]
            layers += [(f'{place}downsample.0', f'{place}downsample.1')] * (block == 0)
    convolutions = {f'{conv}.weight' for conv, _ in layers}
    return convolutions | {f'{bn}.{key}' for _, bn in layers for key in norm}


def test_resnet50_has_the_names_of_torchvision():
    cfg = load('r50_voc12-aug')
    backbone = MODELS.build(dict(cfg.model.backbone, init_cfg=None))
    assert set(backbone.state_dict()) == resnet50_names()


@pytest.mark.parametrize('name', NAMES)
def test_training_and_tests_read_as_many_proposals(name):
    cfg = load(name)
    pipelines = [cfg[f'{one}_dataloader'].dataset.pipeline for one in ('train', 'val', 'corloc')]
    assert [steps[1].max_num for steps in (*pipelines, cfg.tta_pipeline)] == [2000] * 4
    streams = cfg.model.cascade.classification.get('roi_features')
    # A softmax over a sample of the proposals would be another one than that of a test.
    assert streams is None or cfg.model.cascade.classification.get('num_samples') is None


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
    for phase in cfg.train_cfg.phases.values():
        phase.iterations = 2  # one update
    cfg.train_cfg.label_size = 48
    cfg.dump('small.py')
    run_tool('train', 'small.py', '--work-dir', 'work')
    checkpoint = max((tmp_path / 'work').glob('*.pth'), key=lambda path: path.stat().st_mtime_ns)
    saved = torch.load(checkpoint, map_location='cpu', weights_only=False)
    weights, labels = saved['state_dict'], saved['labels'].values()
    assert {min(one['img_shape']) for one in labels} == {48}
    assert len(labels) == 2
    assert all(value.isfinite().all() for value in weights.values())
    names = ['bbox', 'corloc'] + ([] if '07' in name else ['segm'])
    run_tool('test', 'small.py', checkpoint, '--work-dir', 'work', '--tta', '--eval', *names)
    metrics = json.loads((tmp_path / 'work/metrics.json').read_text())
    assert 0 <= metrics['bbox_mAP_50'] <= 1
    assert 0 <= metrics['corloc'] <= 1
    assert ('segm_mAP_50' in metrics) == ('segm' in names)
