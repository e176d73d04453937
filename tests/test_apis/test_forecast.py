"""The line at the start of a training: what will run, and for how long."""

import re

import pytest
import torch
from mmengine.config import Config

from mmlabelpenet.apis import train_detector
from mmlabelpenet.apis.forecast import ForecastHook

PHASES = ('classification', 'detection', 'refinement', 'segmentation', 'joint')


@pytest.fixture
def train(config, proposals, tmp_path, monkeypatch):
    """Train a step or two of each phase; returns the weights."""

    def run(name, **changes):
        cfg = Config.fromfile(config)
        for phase in PHASES:
            steps = 4 if phase == 'joint' else 2
            cfg.train_cfg.phases[phase].update(iterations=steps, warmup=0)
        cfg.train_cfg.phases.joint.alternate = 1
        cfg.train_cfg.update(feature_cache=dict(root=str(tmp_path / 'cache')), val_begin=100)
        cfg.merge_from_dict(changes)
        cfg.work_dir, cfg.launcher = str(tmp_path / name), 'none'
        return train_detector(cfg).model.state_dict()

    return run


def test_a_forecast_is_said_and_changes_no_weight(train, tmp_path, monkeypatch):
    said, orders = [], []
    monkeypatch.setattr('mmlabelpenet.apis.forecast.say', said.append)
    foreseen = train('with')
    caches = {path.name for path in (tmp_path / 'cache').iterdir()}
    monkeypatch.setattr(ForecastHook, 'before_train', lambda *_: orders.append('left out'))
    plain = train('without')
    assert orders == ['left out']
    assert all(torch.equal(foreseen[name], plain[name]) for name in plain)
    # its own steps fill no cache
    assert caches == {path.name for path in (tmp_path / 'cache').iterdir()}
    (line,) = said
    assert line.startswith('Training on 4 photos takes about 1 minute, for 12 steps: ')
    assert re.findall(r'(\w+) (\d+) \(', line) == [
        (name, '4' if name == 'joint' else '2') for name in PHASES
    ]
