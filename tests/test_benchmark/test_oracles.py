"""The oracles on a few small generated images, their tools run within this process."""

import json

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from mmengine.structures import InstanceData
from test_end_to_end import run_tool, small_config

from mmlabelpenet.registry import MODELS
from mmlabelpenet.utils import UserError


def bound_config():
    """A bound of two modules: detection and refinement, one iteration each."""
    cfg = small_config()
    cfg.model.attention_scales = ()
    cfg.model.calibration = dict(type='TrueInstances')
    dataset = cfg.train_dataloader.dataset
    dataset.supervision = 'full'
    dataset.pipeline.insert(2, dict(type='LoadTrueInstances'))
    for name in ('classification', 'semantic', 'segmentation', 'joint'):
        cfg.train_cfg.phases[name] = None
    cfg.train_cfg.phases.detection.update(
        stages=['classification', 'detection'], epochs=0, iterations=1
    )
    cfg.train_cfg.phases.refinement.update(epochs=0, iterations=1)
    cfg.model.cascade.segmentation = None
    cfg.model.test_cfg = dict(stage='refinement')
    cfg.train_cfg.feature_cache = None
    return cfg


@pytest.fixture
def script(at_shapes, monkeypatch, benchmark_module):
    """The command, each launch noted and run within this process."""
    monkeypatch.delenv('LOCAL_RANK', raising=False)
    bound_config().dump('bound.py')
    script = benchmark_module('oracles')
    script.launched = []

    def launch(tool, args, processes):
        script.launched.append(tool)
        run_tool(tool, *args)
        return 0.5, 1.0

    for module in (script.trainings, script.voc12_mini):
        monkeypatch.setattr(module, 'launch', launch)
    return script


def run(script, root, *rows):
    script.main(
        [
            *('--bound', 'bound.py', '--weak', 'small.py', 'a.pth', '--processes', '1'),
            *('--root', str(root), '--out', str(root / 'out.json'), '--rows', *rows),
        ]
    )
    return json.loads((root / 'out.json').read_text())


@pytest.mark.slow
def test_rows_are_trained_once_each_and_written_one_by_one(script, tmp_path, capsys):
    results = run(script, tmp_path, 'O3', 'O7')
    assert [one['row'] for one in results] == ['O3', 'O7']
    assert script.launched.count('train') == 1
    before = len(script.launched)
    assert run(script, tmp_path, 'O3', 'O7') == results
    assert len(script.launched) == before
    results = run(script, tmp_path, 'O6', 'labels')
    assert [one['row'] for one in results] == ['O3', 'O7', 'O6', 'labels']
    assert script.launched.count('export_pseudo_labels') == 1
    assert len({one['key'] for one in results}) == 4
    for one in results:
        name = 'ranked/bbox_mAP_50' if one['row'] == 'O7' else 'corloc'
        assert 0 <= one['metrics'][name] <= 1
    table = capsys.readouterr().out
    assert all(f'| {row} | 1 |' in table for row in ('O3', 'O6', 'labels', 'O7'))


def test_every_row_changes_its_own_part_of_the_config(script):
    bound, weak = (Config.fromfile(f'{name}.py') for name in ('bound', 'small'))
    weak.train_cfg.phases.detection.epochs = 7
    names = {}
    for row in script.ROWS[:-1]:
        cfg = script.oracle_config(row, bound, weak, 'labels.json')
        dataset = cfg.train_dataloader.dataset
        names[row] = [one['type'] for one in dataset.pipeline][1:4]
        assert dataset.supervision == ('tags' if row == 'labels' else 'full')
        assert (cfg.train_cfg.phases.detection.epochs == 7) == (row == 'O1')
        if row in script.CHANGED:
            assert dataset.pipeline[3] == dict(
                type='OracleLabels', oracle=row, label_file='labels.json'
            )
    first, last = 'LoadRegionProposals', 'ProposalBroadcaster'
    assert names['truth'] == names['O1'] == [first, 'LoadTrueInstances', last]
    assert names['O2'] == [first, 'LoadTrueInstances', 'OracleLabels']
    assert names['labels'] == [first, 'LoadLabels', last]


def test_weights_of_labels_reach_the_stages(script):
    cfg = script.oracle_config(
        'O3', Config.fromfile('bound.py'), Config.fromfile('small.py'), None
    )
    init_default_scope(cfg.default_scope)
    model = MODELS.build(cfg.model).train()
    cfg.train_dataloader.batch_size = 6
    loader = Runner.build_dataloader(cfg.train_dataloader, seed=0)
    batch = model.data_preprocessor(next(iter(loader)), True)
    evidence = model.cascade.seed((), model.evidence(batch['inputs'], batch['data_samples']))
    for one in evidence:
        pseudo = one.pseudo_instances
        taught = pseudo.labels[pseudo.weights == 1]
        assert sorted(taught.tolist()) == one.tags.nonzero()[:, 0].tolist()
        assert pseudo.weights[0] == 1
        assert len(pseudo.masks) == len(pseudo)
    assert any((one.pseudo_instances.weights == 0).any() for one in evidence)


def test_boxes_are_ranked_by_their_true_iou(script):
    boxes = torch.tensor([[0.0, 0, 10, 10], [0, 0, 10, 5], [20, 0, 30, 10]])
    found = InstanceData(bboxes=boxes, labels=torch.tensor([0, 0, 1]))
    truth = InstanceData(bboxes=boxes[:1], labels=torch.tensor([0]))
    assert script.ranked_by_truth(found, truth).tolist() == [1, 0.5, 0]
    assert script.ranked_by_truth(found, truth[:0]).tolist() == [0, 0, 0]


def test_rows_of_labels_need_a_checkpoint(script, tmp_path):
    args = ['--bound', 'bound.py', '--root', str(tmp_path), '--out', str(tmp_path / 'o.json')]
    for rows in (['O4'], ['O7']):
        with pytest.raises(UserError, match='need a trained weak model: give --weak CONFIG CHECK'):
            script.main([*args, '--weak', 'small.py', '--rows', *rows])
