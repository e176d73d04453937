"""mmdet's own tools on this package's configs."""

import runpy
import sys
from pathlib import Path

import mmdet
import pytest
from mmdet.apis import DetInferencer
from mmdet.visualization import DetLocalVisualizer
from mmengine.config import Config
from mmengine.registry import DefaultScope

from mmlabelpenet.apis import evaluate_detector
from mmlabelpenet.utils import UserError

TOOLS = Path(mmdet.__file__).parent / '.mim/tools'
if not TOOLS.is_dir():
    pytest.skip('mmdet was installed without its tools', allow_module_level=True)


@pytest.fixture
def run(monkeypatch, capsys):
    """Run a tool of mmdet within this process; returns what it prints."""

    def run(name, *args):
        path = TOOLS / f'{name}.py'
        monkeypatch.setattr(sys, 'argv', [path.name, *map(str, args)])
        monkeypatch.setenv('MPLBACKEND', 'agg')
        runpy.run_path(str(path), run_name='__main__')
        return capsys.readouterr().out

    # as in a process of its own: the visualizer of an earlier test keeps its folder
    monkeypatch.setattr(DefaultScope, '_instance_dict', DefaultScope._instance_dict.copy())
    monkeypatch.setattr(DetLocalVisualizer, '_instance_dict', {})
    return run


@pytest.fixture
def changed(config, tmp_path):
    """Write a config that inherits the small one, with these lines more."""

    def write(*lines):
        path = tmp_path / 'changed.py'
        path.write_text('\n'.join([f'_base_ = {str(config)!r}', *lines]))
        return path

    return write


@pytest.fixture(scope='module')
def results(tmp_path_factory, config, checkpoint, proposals):
    """What the test tool writes."""
    folder = tmp_path_factory.mktemp('results')
    cfg = Config.fromfile(config)
    cfg.update(launcher='none', work_dir=str(folder))
    evaluate_detector(cfg, str(checkpoint), ['bbox'], str(folder / 'results.pkl'))
    return folder / 'results.pkl'


def test_train_and_analyze_logs(run, changed, proposals, tmp_path):
    config = changed(
        'phases = dict(_delete_=True, only=dict(epochs=1, stages=["classification"]))',
        'train_cfg = dict(order=["only"], phases=phases)',
        'val_dataloader = val_evaluator = val_cfg = None',
        'test_dataloader = test_evaluator = test_cfg = None',
        'default_hooks = dict(logger=dict(interval=1))',
    )
    run('train', config, '--work-dir', tmp_path / 'work')
    assert (tmp_path / 'work/epoch_1.pth').exists()
    (log,) = (tmp_path / 'work').glob('*/vis_data/scalars.json')
    assert 'average iter time' in run('analysis_tools/analyze_logs', 'cal_train_time', log)
    # the fork names styles of matplotlib, and its default needs another library; 3.3.0 seaborn's
    style = 'dark' if mmdet.__version__ == '3.3.0' else 'default'
    plot = ('--keys', 'loss', '--style', style, '--out', tmp_path / 'a.png')
    run('analysis_tools/analyze_logs', 'plot_curve', log, *plot)
    assert (tmp_path / 'a.png').exists()


def test_test(run, config, checkpoint, proposals, tmp_path):
    args = ('--work-dir', tmp_path / 'work', '--show-dir', 'pictures')
    assert 'bbox_mAP_50' in run('test', config, checkpoint, *args)
    assert len(list((tmp_path / 'work').glob('*/pictures/*.png'))) == 2


def test_browse_dataset(run, config, proposals, tmp_path):
    run('analysis_tools/browse_dataset', config, '--not-show', '--output-dir', tmp_path / 'seen')
    assert len(list((tmp_path / 'seen').iterdir())) == 4


def test_confusion_matrix(run, config, results, tmp_path):
    run('analysis_tools/confusion_matrix', config, results, tmp_path / 'matrix')
    assert (tmp_path / 'matrix/confusion_matrix.png').exists()


def test_analyze_results(run, changed, results, tmp_path):
    # the tool reads the ground truth by the pipeline of training, which has tags only
    config = changed(
        "loading = [dict(type='LoadImageFromFile'), dict(type='LoadAnnotations', with_bbox=True)]",
        'train_dataloader = dict(dataset=dict(pipeline=loading))',
    )
    run('analysis_tools/analyze_results', config, results, tmp_path / 'painted', '--topk', 1)
    assert len(list((tmp_path / 'painted').glob('*/*.jpg'))) == 2


def test_get_flops(run, config, proposals):
    assert 'Params: ' in run('analysis_tools/get_flops', config, '--num-images', 1)


def test_print_config(run, config, tmp_path):
    assert 'LabelPEnet' in run('misc/print_config', config, '--save-path', tmp_path / 'a.py')
    saved = Config.fromfile(tmp_path / 'a.py')
    assert saved.model == Config.fromfile(config).model


def test_eval_metric_needs_the_ground_truth_that_ours_reads(run, config, results):
    with pytest.raises(UserError, match='tools/analysis_tools/eval_metric'):
        run('analysis_tools/eval_metric', config, results)


def test_inferencer_of_mmdet_names_ours(config, checkpoint, images):
    inferencer = DetInferencer(str(config), str(checkpoint), device='cpu', scope='mmlabelpenet')
    with pytest.raises(UserError, match=r'use mmlabelpenet\.apis\.LabelPEnetInf'):
        inferencer(str(images[0]))
