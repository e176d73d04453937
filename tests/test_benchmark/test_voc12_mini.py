"""The benchmark on a few small generated images, its tools run within this process."""

import json
import os
import socket
import time
from unittest.mock import ANY

import pytest
import torch
from mmengine.config import Config
from test_end_to_end import run_tool, small_config

from mmlabelpenet.testing import make_shapes
from mmlabelpenet.utils import UserError

PAGE = 'above\n<!-- voc12_mini.py begin -->\nold\n<!-- voc12_mini.py end -->\nbelow\n'


def pretrained():
    """Two modules in two iterations each, tested at the second."""
    cfg = small_config()
    cfg.model.cascade.update(refinement=None, segmentation=None)
    cfg.model.test_cfg = dict(stage='detection')
    for name in ('semantic', 'refinement', 'segmentation', 'joint'):
        cfg.train_cfg.phases[name] = None
    for name in ('classification', 'detection'):
        cfg.train_cfg.phases[name].update(epochs=0, iterations=2)
    cfg.train_dataloader.batch_size = 1
    cfg.test_evaluator = [dict(type='VOCDetectionMetric')]
    return cfg


def jointly():
    cfg = pretrained()
    stages = ['classification', 'detection']
    cfg.train_cfg.phases.joint = dict(stages=stages, iterations=2, backbone=True)
    return cfg


@pytest.fixture(scope='module')
def place(tmp_path_factory):
    root = tmp_path_factory.mktemp('place')
    make_shapes(root / 'data/shapes/Shapes', num_train=4, num_val=2, image_size=(64, 96))
    configs = dict(pre=pretrained(), joint=jointly(), first=pretrained())
    configs['first'].model.test_cfg.stage = 'classification'
    for name, cfg in configs.items():
        cfg.dump(str(root / f'{name}.py'))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        run_tool('proposals/make_proposals', 'pre.py', '--workers', 1)
    return root


@pytest.fixture
def modules(place, monkeypatch, benchmark_module):
    """The benchmark and its trainings, each launch noted and run within this process."""
    monkeypatch.chdir(place)
    monkeypatch.delenv('LOCAL_RANK', raising=False)
    trainings, bench = benchmark_module('trainings'), benchmark_module('voc12_mini')
    launched = []

    def launch(tool, args, processes):
        launched.append((tool, args))
        run_tool(tool, *args)
        return 0.5, 1.0

    for module in (trainings, bench):
        monkeypatch.setattr(module, 'launch', launch)
    return trainings, bench, launched


def weights_of(checkpoint):
    return torch.load(checkpoint, map_location='cpu', weights_only=False)['state_dict']


def test_rows_are_trained_once_measured_and_reported(place, modules):
    trainings, bench, launched = modules
    for name in ('page.md', 'provenance.md', 'readme.md'):
        (place / name).write_text(PAGE)
    rows = [str(place / f'{name}.py') for name in ('pre', 'first', 'joint')]
    args = ['--rows', *rows, '--seeds', '1', '--processes', '1', '--root', 'work']
    args += ['--out', 'out.json', '--docs', 'page.md', '--images', 'images']
    args += ['--readme', 'readme.md']
    bench.main(args)

    # two trainings: all begin with the same two phases, and two rows are one training
    trained = [one for tool, one in launched if tool == 'train']
    # proposals are made once, before all else
    splits = [(tool, one[1:3]) for tool, one in launched[:3]]
    assert splits[:2] == [
        ('proposals/make_proposals', ['--split', 'train']),
        ('proposals/make_proposals', ['--split', 'val']),
    ]
    assert splits[2][0] == 'train'
    assert [tool for tool, _ in launched].count('proposals/make_proposals') == 2
    assert len(trained) == 2
    assert '--resume' not in trained[0]
    assert '--resume' in trained[1]
    results = {one['row']: one for one in json.loads((place / 'out.json').read_text())}
    assert results.keys() == {'pre', 'first', 'joint'}
    assert results['joint']['minutes'] == pytest.approx(1.0)
    assert results['pre']['minutes'] == pytest.approx(0.5)
    for one in results.values():
        assert {'bbox_mAP_50', 'corloc', 'image_mAP', 'error_found'} <= one['metrics'].keys()
        assert one['commit']
    table = (place / 'page.md').read_text()
    assert table.startswith('above\n')
    assert table.endswith('below\n')
    assert 'old' not in table
    assert table.count('\n| ') == 4
    assert (place / 'images/voc12_mini_errors.png').stat().st_size > 1000

    before = len(launched)
    bench.main(args)
    assert len(launched) == before  # all is measured already

    # a row of the same config under another name is not run again
    (place / 'again.py').write_text((place / 'joint.py').read_text())
    bench.main([args[0], str(place / 'again.py'), *args[4:]])
    assert len(launched) == before
    results = {one['row']: one for one in json.loads((place / 'out.json').read_text())}
    assert results['again'] == {**results['joint'], 'row': 'again', 'config': ANY}
    assert results['again']['config'].endswith('again.py')

    # what was shared is what a training of its own gives
    joint = next(place.glob('work/*/training.json'), None)
    alone = trainings.Trainings(place / 'alone', [place / 'joint.py'], 1)
    own = alone.train(alone.read(place / 'joint.py'), 0)
    key = alone.key(alone.read(place / 'joint.py'))
    joint = json.loads((place / f'work/{key}-0/training.json').read_text())
    shared, whole = weights_of(joint['checkpoint']), weights_of(own.checkpoint)
    torch.testing.assert_close(dict(shared), dict(whole), rtol=0, atol=0)


def test_cached_labels_are_removed_and_maps_kept(modules, tmp_path):
    trainings = modules[0]
    for name, payload in (('maps', [torch.zeros(1)]), ('labels', {'attention': torch.zeros(1)})):
        (tmp_path / name).mkdir()
        torch.save(payload, tmp_path / name / 'photo.pth')
    trainings.drop_labels(dict(root=str(tmp_path)), since=time.time() + 60)
    assert len(list(tmp_path.iterdir())) == 2  # of another training
    trainings.drop_labels(dict(root=str(tmp_path)), since=0)
    assert [path.name for path in tmp_path.iterdir()] == ['maps']
    trainings.drop_labels(None, since=0)


def test_minutes_of_attempts_end_with_their_logs(modules, tmp_path):
    trainings = modules[0]
    assert trainings.minutes_logged(tmp_path) == 0
    for start, minutes in (('20260101_120000', 3), ('20260101_130000', 4)):
        log = tmp_path / start / f'{start}.log'
        log.parent.mkdir()
        log.touch()
        end = time.mktime(time.strptime(start, '%Y%m%d_%H%M%S')) + 60 * minutes
        os.utime(log, (end, end))
    assert trainings.minutes_logged(tmp_path) == 7


def test_what_makes_a_training_another_one(place, modules):
    trainings = modules[0]
    cfg = Config.fromfile(place / 'joint.py')
    key = trainings.training_key(cfg, 3, 1)

    def changed(num_phases=3, processes=1, **options):
        other = Config.fromfile(place / 'joint.py')
        other.merge_from_dict(options)
        return trainings.training_key(other, num_phases, processes)

    assert changed() == key
    assert changed(**{'model.test_cfg.stage': 'classification'}) == key
    assert changed(**{'train_dataloader.num_workers': 3}) == key
    assert changed(**{'model.calibration.mode': 'full'}) == key  # no step backward
    assert changed(processes=2) != key
    assert changed(num_phases=2) != key
    off = {'model.calibration': {'_delete_': True, 'type': 'MinedProposals'}}
    assert changed(**off) != key
    assert changed(**{'optim_wrapper.optimizer.lr': 1.0}) != key
    both = {'model.calibration.mode': 'full', 'train_cfg.phases.joint.alternate': 1}
    assert changed(**both) != key
    assert changed(2, **both) == changed(2)
    # the classifier does not depend on calibration
    assert changed(1, **off) == changed(1)
    # but it learns at all scales
    scales = {'model.attention_scales': (1.5,)}
    assert changed(1, **scales) != changed(1)
    assert changed(1, **scales, **off) == changed(1, **scales)


def test_every_row_has_a_config(modules):
    bench = modules[1]
    rows = bench.find_rows(list(bench.GROUPS))
    assert list(rows)[1:9] == list('ABCDEFGH')
    for config in rows.values():
        cfg = Config.fromfile(config)
        assert bench.tested_stage(cfg) in cfg.model.cascade
    with pytest.raises(UserError, match='There is no row Z'):
        bench.find_rows(['Z'])


def test_the_ladder_shares_its_pretraining(modules, benchmark_module, monkeypatch):
    trainings, bench, _ = modules
    monkeypatch.setattr(benchmark_module('keys'), 'data_digest', lambda dataset: 'photos')
    configs = bench.find_rows(['full', 'ladder', 'variants'])
    shared = trainings.Trainings('work', configs.values(), 2)
    keys = {name: shared.key(shared.read(config)) for name, config in configs.items()}
    assert len({keys[name] for name in 'ABCD'}) == 1
    assert len({keys[name] for name in 'DEFGH'}) == 5
    # With calibration there is a phase more: that of its semantic attention.
    for (one, other), count in (('EF', 4), ('GH', 5)):
        key = shared.key(shared.read(configs[one]), count)
        assert key == shared.key(shared.read(configs[other]), count)
        assert key in shared.shared
    assert shared.key(shared.read(configs['E']), 4) == keys['D']
    # D-refined and D differ from the phase on in which stage 4 learns.
    key = shared.key(shared.read(configs['D']), 3)
    assert key == shared.key(shared.read(configs['E-refined']), 3)
    assert key in shared.shared
    assert shared.key(shared.read(configs['E-refined']), 4) == keys['D-refined'] != keys['D']
    # Curriculum is of the joint phase alone.
    key = shared.key(shared.read(configs['H']), 5)
    assert key == shared.key(shared.read(configs['H-no-curriculum']), 5)
    assert keys['H'] != keys['H-no-curriculum']


def test_a_launch_of_several_processes_takes_a_free_port_unless_one_is_given(
    benchmark_module, tmp_path, monkeypatch
):
    trainings = benchmark_module('trainings')
    monkeypatch.setattr(trainings, 'REPOSITORY', tmp_path)
    monkeypatch.delenv('PORT', raising=False)
    (tmp_path / 'tools').mkdir()
    (tmp_path / 'tools/dist_train.sh').write_text('echo $PORT > $1\n')
    out = tmp_path / 'port'
    trainings.launch('train', [str(out)], 2)
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', int(out.read_text())))
    monkeypatch.setenv('PORT', '29512')
    trainings.launch('train', [str(out)], 2)
    assert out.read_text() == '29512\n'
