import pytest
import torch
from mmengine.config import Config
from torch import nn

from mmlabelpenet.engine.optimisation import BFloat16OptimWrapper, enable_amp

SGD = dict(type='SGD', lr=0.1)


@pytest.mark.parametrize('cuda', [False, True])
def test_mixed_precision_is_float16_with_cuda_and_bfloat16_without(cuda, monkeypatch):
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: cuda)
    settings = dict(type='OptimWrapper', optimizer=SGD, loss_scale=512.0, dtype='float16')
    cfg = Config(dict(optim_wrapper=settings))
    enable_amp(cfg)
    expected = dict(type='BFloat16OptimWrapper', optimizer=SGD)
    if cuda:
        expected = settings | dict(type='AmpOptimWrapper', loss_scale='dynamic')
    assert cfg.optim_wrapper == expected


def test_the_forward_pass_is_in_bfloat16_and_the_weights_are_not():
    model = nn.Linear(3, 2)
    wrapper = BFloat16OptimWrapper(torch.optim.SGD(model.parameters(), lr=0.1))
    with wrapper.optim_context(model):
        output = model(torch.rand(1, 3))
    assert output.dtype == torch.bfloat16
    assert model(torch.rand(1, 3)).dtype == torch.float32
    wrapper.update_params(output.sum())
    assert model.weight.dtype == torch.float32
