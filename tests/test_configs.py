"""Every config: built, a training step of every phase and a test step, with its own pipelines."""

import copy
from pathlib import Path

import pytest
import torch
from devkit import make_devkit
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.evaluator import Evaluator
from mmengine.optim import build_optim_wrapper
from mmengine.registry import init_default_scope
from test_models.test_configs import give_attention, shrink

from mmlabelpenet.datasets import require_cacheable_transforms
from mmlabelpenet.engine import freeze
from mmlabelpenet.engine.loops import build_phases
from mmlabelpenet.registry import DATASETS, MODELS, SCOPE
from mmlabelpenet.utils import register_all_modules

CONFIGS = Path(__file__).parents[1] / 'configs'
# Trained and tested elsewhere: mmdet's own detector in test_apis/test_pseudo_label_training.py,
# images without any ground truth in test_datasets/test_tags.py.
ELSEWHERE = {
    'pseudo_label/mask-rcnn_effnet-lite0_coco-export.py',
    'pseudo_label/mask-rcnn_effnet-lite0_export.py',
    'label_penet/label-penet_effnet-lite0_tags.py',
    # data in another form: the model in test_models/test_configs.py, the data in test_datasets
    'label_penet/label-penet_r50_coco.py',
}
FOUND = {str(path.relative_to(CONFIGS)) for path in CONFIGS.glob('[!_]*/**/*.py')}
NAMES = sorted(FOUND - ELSEWHERE)
ABLATIONS = sorted(CONFIGS.glob('label_penet/ablations/*.py'))
BASELINES = ('mist', 'oicr', 'pcl', 'wsddn')
TAGGED = (*BASELINES, 'label_penet')


def load_model(name):
    return Config.fromfile(CONFIGS / name).model


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    register_all_modules(init_default_scope=False)
    init_default_scope(SCOPE)
    root = tmp_path_factory.mktemp('devkit')
    make_devkit(root)
    return root


def settle(node, root):
    """Point a config's data to the small devkit and make its images small, in place."""
    for key, value in list(node.items()) if isinstance(node, dict) else enumerate(node):
        if key == 'data_root':
            year = Path(value).name
            node[key] = str(root / year)
        elif key == 'proposal_root':
            node[key] = str(root / 'proposals')
        elif key == 'scale':
            node[key] = (96, 64)
        elif key == 'scales' and isinstance(value, list):  # of a phase it is a switch
            node[key] = [(96, 64), (128, 80)]
        elif isinstance(value, dict | list):
            settle(value, root)


def narrow(model):
    """Make mask heads small and results short, in place."""
    for stage in model.cascade.values():
        if stage is not None:
            stage.get('mask_head', {}).update(channels=16, num_convs=1)
            stage.get('test_cfg', {}).update(max_per_image=5)


def load(name, root):
    cfg = Config.fromfile(CONFIGS / name)
    parts = {key: cfg[key].to_dict() for key in cfg if key.endswith('_dataloader')}
    settle(parts, root)
    shrink(cfg.model)
    narrow(cfg.model)
    return cfg, parts


def plain(dataset):
    """The data set of a loader's config; VOC 2012's images replace those of a missing devkit."""
    if not Path(dataset['data_root']).is_dir():
        dataset['data_root'] = str(Path(dataset['data_root']).with_name('VOC2012'))
        dataset['type'] = 'VOCInstanceDataset'
    return DATASETS.build(dataset)


@pytest.mark.slow
@pytest.mark.parametrize('name', NAMES)
def test_a_config_trains_a_step_of_each_phase_and_predicts(name, data):
    cfg, parts = load(name, data)
    images = plain(parts['train_dataloader']['dataset'])
    batch = pseudo_collate([images[index] for index in range(2)])
    if cfg.train_cfg.get('feature_cache') is not None:
        require_cacheable_transforms(images)
    torch.manual_seed(0)
    model = MODELS.build(cfg.model)
    give_attention(model)
    optim_wrapper = build_optim_wrapper(model, cfg.optim_wrapper)
    for phase in build_phases(cfg.train_cfg.phases, cfg.train_cfg.order).values():
        step = phase.step(phase.alternate, 1000)
        freeze(model, step)
        model.train()
        logged = model.train_step(copy.deepcopy(batch), optim_wrapper)
        assert logged['loss'].isfinite()
        learning = {key.split('.')[0] for key in logged if '.loss' in key}
        assert learning <= set(phase.stages)
        assert learning or step.direction == 'backward'

    model.eval()
    tested = plain(parts['test_dataloader']['dataset'])
    evaluator = Evaluator(cfg.test_evaluator)
    evaluator.dataset_meta = tested.metainfo
    evaluator.process(model.test_step(pseudo_collate([tested[0]])))
    assert 'bbox_mAP_50' in evaluator.evaluate(1)


@pytest.mark.parametrize('name', [name for name in NAMES if name.split('/')[0] in TAGGED])
def test_only_the_upper_bound_reads_more_than_tags(name):
    dataset = Config.fromfile(CONFIGS / name).train_dataloader.dataset
    inner = dataset.get('dataset', dataset)
    assert inner.supervision == 'tags'
    assert 'Load' not in ''.join(step.type for step in inner.pipeline[2:])


@pytest.mark.parametrize('name', [name for name in NAMES if 'cascade' in load_model(name)])
def test_only_a_calibration_reads_further_scales(name):
    model = load_model(name)
    if model.calibration.type != 'ProposalCalibration':
        assert not model.get('attention_scales')


@pytest.mark.parametrize('path', ABLATIONS, ids=lambda path: path.stem)
def test_an_ablation_is_a_few_lines(path):
    lines = [line for line in path.read_text().splitlines() if line and line[0] != '#']
    assert sum(not line.startswith('_base_') for line in lines) <= 6


def images_seen(name):
    phases = build_phases(Config.fromfile(CONFIGS / name).train_cfg.phases).values()
    return sum(phase.epochs for phase in phases)


@pytest.mark.parametrize(
    'name',
    [name for name in NAMES if name.split('/')[0] in (*BASELINES, 'upper_bound')],
)
def test_baselines_and_bound_see_as_many_images_as_label_penet(name):
    whole = images_seen('label_penet/label-penet_effnet-lite0_voc12-mini.py')
    assert images_seen(name) == pytest.approx(whole)


def sizes_of_proposals(name):
    """What each data loader of a config asks of the sides of proposals."""
    cfg = Config.fromfile(CONFIGS / name)
    pipelines = [
        cfg[f'{loader}_dataloader'].dataset.pipeline
        for loader in ('train', 'val', 'test', 'corloc')
    ]
    return [pipeline[2].get('min_bbox_size', 0) for pipeline in pipelines]


@pytest.mark.parametrize('name', [name for name in NAMES if name.split('/')[0] in BASELINES])
def test_only_baselines_on_the_mid_level_map_leave_proposals_out(name):
    assert sizes_of_proposals(name) == [32 if 'mid-level' in name else 0] * 4


@pytest.mark.parametrize('name', [name for name in NAMES if 'mid-level' in name])
def test_a_mid_level_baseline_reads_the_map_of_80_channels(name):
    model = load_model(name)
    backbone = MODELS.build(dict(model.backbone, init_cfg=None))
    with torch.no_grad():
        maps = backbone.eval()(torch.zeros(1, 3, 64, 64))
    parts = [model.cascade.classification.attention]
    for stage in model.cascade.values():
        part = (stage or {}).get('box_head', stage or {})
        parts += [part.roi_features.fusion] if 'roi_features' in part else []
    for part in parts:
        [level] = part.levels
        assert list(part.in_channels) == [one.shape[1] for one in maps]
        assert list(part.strides) == [64 // one.shape[2] for one in maps]
        assert (part.in_channels[level], part.strides[level]) == (80, 16)


@pytest.mark.parametrize('config', sorted(CONFIGS.rglob('*voc12-mini.py')), ids=lambda p: p.stem)
def test_a_dumped_config_trains_its_phases_in_the_same_order(
    config, tmp_path, monkeypatch, formatted_configs
):
    monkeypatch.setenv('VOC12MINI_ROOT', str(tmp_path))
    cfg = Config.fromfile(config)
    cfg.dump(str(tmp_path / 'written.py'))
    written = Config.fromfile(tmp_path / 'written.py')
    first, second = (
        list(build_phases(one.train_cfg.phases, one.train_cfg.order)) for one in (cfg, written)
    )
    assert first == second
    assert first == [name for name in cfg.train_cfg.order if name in first]
