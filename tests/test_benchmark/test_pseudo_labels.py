from pathlib import Path

import pytest
import torch
from mmengine.config import Config

from mmlabelpenet.registry import MODELS
from mmlabelpenet.utils import UserError, register_all_modules

CONFIG = str(
    Path(__file__).parents[2] / 'configs/label_penet/label-penet_effnet-lite0_voc12-mini.py'
)


@pytest.fixture(scope='module')
def checkpoint(tmp_path_factory):
    """Weights of the config with stage 3, as a training would leave them."""
    register_all_modules()
    torch.manual_seed(0)
    model = MODELS.build(Config.fromfile(CONFIG).model)
    path = tmp_path_factory.mktemp('weights') / 'epoch_1.pth'
    torch.save(dict(state_dict=model.state_dict()), path)
    return str(path)


def test_every_row_has_the_weights_of_one_checkpoint(benchmark_module, checkpoint):
    script = benchmark_module('pseudo_labels')
    weights = torch.load(checkpoint, weights_only=True)['state_dict']
    for row, changes in script.ROWS.items():
        model, cfg = script.build_row(CONFIG, checkpoint, changes)
        assert not model.training
        assert all(value.equal(weights[name]) for name, value in model.state_dict().items())
        assert ('semantic' in model.cascade.steps) != ('alone' in row or row == 'calibration off')
        assert cfg.model.test_cfg.stage == ('calibration' if 'stage 3' in row else 'attention')


def test_weights_of_another_model_are_refused_by_name(benchmark_module, checkpoint, tmp_path):
    weights = torch.load(checkpoint, weights_only=True)['state_dict']
    del weights['calibration.semantic.bias']
    other = tmp_path / 'other.pth'
    torch.save(dict(state_dict=weights), other)
    with pytest.raises(UserError, match=r'other\.pth lacks calibration\.semantic\.bias'):
        benchmark_module('pseudo_labels').build_row(CONFIG, str(other), {})
