"""Start of several processes; how they end is in test_apis/test_distributed.py."""

import pytest
import torch
from mmengine.config import Config

from mmlabelpenet.engine.distributed import prepare_distributed
from mmlabelpenet.utils import UserError


@pytest.fixture(autouse=True)
def no_cuda(monkeypatch):
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: False)


def test_one_process_needs_nothing():
    cfg = Config(dict(launcher='none'))
    prepare_distributed(cfg)
    assert set(cfg) == {'launcher'}


def test_on_cpus_there_is_no_launcher_but_torch_s():
    with pytest.raises(UserError, match=r'--launcher slurm needs CUDA.*dist_train\.sh'):
        prepare_distributed(Config(dict(launcher='slurm')))


def test_processes_on_cpus_have_a_group_and_a_wrapper_without_devices(monkeypatch):
    begun = []
    monkeypatch.setattr(torch.distributed, 'init_process_group', begun.append)
    cfg = Config(dict(launcher='pytorch', find_unused_parameters=True))
    prepare_distributed(cfg)
    assert begun == ['gloo']
    assert cfg.model_wrapper_cfg.type == 'MMDistributedDataParallel'
    assert cfg.model_wrapper_cfg.device_ids is None
    assert cfg.model_wrapper_cfg.find_unused_parameters is True
    assert cfg.model_wrapper_cfg.broadcast_buffers is False


def test_cuda_is_left_to_mmengine(monkeypatch):
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: True)
    cfg = Config(dict(launcher='slurm'))
    prepare_distributed(cfg)
    assert set(cfg) == {'launcher'}
