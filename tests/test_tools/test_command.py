import contextlib
import errno
import os
import re
import signal
import sys
import threading
import time

import pytest
import torch
from mmengine.config import Config
from torch.utils.data import DataLoader, Dataset

from mmlabelpenet.apis import run_command, sentence_of
from mmlabelpenet.engine.distributed import prepare_distributed
from mmlabelpenet.utils import StopRequest, UserError, stop_advice, stop_requests


class Broken(Dataset):
    def __len__(self):
        return 1

    def __getitem__(self, index):
        raise UserError('The file a.npz\nis missing: make it.')


def test_the_sentence_survives_a_worker():
    with pytest.raises(UserError) as caught:
        next(iter(DataLoader(Broken(), num_workers=1)))
    assert 'Traceback' in str(caught.value)
    assert sentence_of(caught.value) == 'The file a.npz is missing: make it.'


def test_a_plain_sentence_is_left_alone():
    assert sentence_of(UserError('Say UserError: twice.')) == 'Say UserError: twice.'


@pytest.mark.skipif(torch.cuda.is_available(), reason='CUDA is there')
def test_slurm_without_cuda_is_reported():
    with pytest.raises(UserError, match='needs CUDA'):
        prepare_distributed(Config({'launcher': 'slurm'}))


def test_a_single_process_is_left_alone():
    cfg = Config({'launcher': 'none'})
    prepare_distributed(cfg)
    assert 'model_wrapper_cfg' not in cfg


@pytest.mark.skipif(torch.cuda.is_available(), reason='CUDA is there')
def test_a_written_config_of_several_processes_starts_several_again(monkeypatch):
    monkeypatch.setattr('mmlabelpenet.engine.distributed.is_distributed', lambda: True)
    cfg = Config({'launcher': 'pytorch', 'find_unused_parameters': True})
    prepare_distributed(cfg)
    first = cfg.to_dict()
    prepare_distributed(cfg)
    assert cfg.to_dict() == first
    assert cfg.model_wrapper_cfg.find_unused_parameters


@pytest.mark.parametrize(
    ('error', 'words'),
    [
        (OSError(errno.ENOSPC, 'No space left on device', 'a.pth'), r'a\.pth .*: make room there'),
        (
            PermissionError(errno.EACCES, 'Permission denied', '/x'),
            '/x .*: change its permissions',
        ),
        (OSError('Broken'), 'Broken: fix the path or the disk'),
        (MemoryError('8 GiB'), 'not enough memory .8 GiB.: lower the batch size'),
        (
            RuntimeError('DataLoader worker (pid 7) is killed by signal: Killed. '),
            'Killed, perhaps',
        ),
    ],
)
def test_errors_of_the_system_end_in_a_sentence(error, words, capsys):
    def command(argv):
        raise error

    with pytest.raises(SystemExit) as exit_info:
        run_command(command, [])
    assert exit_info.value.code == 2
    assert re.fullmatch(f'error: .*{words}.*\n', capsys.readouterr().err)


def test_errors_of_the_code_are_left_as_they_are():
    def command(argv):
        raise RuntimeError('shapes differ')

    with pytest.raises(RuntimeError, match='shapes differ'):
        run_command(command, [])


def format_config():
    """Mmengine's, which turns every error into another one."""
    try:
        signal.raise_signal(signal.SIGTERM)
    except BaseException:
        raise SyntaxError('no config')  # noqa: B904


def lose_request():
    """An error that follows from a request that a destructor lost."""
    with contextlib.suppress(StopRequest):
        signal.raise_signal(signal.SIGTERM)
    raise AttributeError('half built')


def lose_request_and_go_on():
    with contextlib.suppress(StopRequest):
        signal.raise_signal(signal.SIGTERM)
    while True:
        time.sleep(10)


@pytest.fixture
def hooks(monkeypatch):
    """Hooks for errors that nobody catches, which a request to stop replaces."""
    for place, name in [(sys, 'excepthook'), (sys, 'unraisablehook'), (threading, 'excepthook')]:
        monkeypatch.setattr(place, name, getattr(place, name))
    monkeypatch.setattr('mmlabelpenet.utils.processes.AGAIN', 0.05)


@pytest.mark.usefixtures('hooks')
@pytest.mark.parametrize('act', [format_config, lose_request, lose_request_and_go_on])
def test_a_request_to_stop_survives_code_that_loses_it(act):
    with pytest.raises(StopRequest) as caught, stop_requests(), stop_advice(lambda: 'go on.'):
        act()
    assert caught.value.sentence == 'stopped by SIGTERM: go on.'


@pytest.mark.usefixtures('hooks')
def test_a_request_to_stop_that_comes_again_keeps_its_advice():
    def train():
        try:
            with stop_advice(lambda: 'go on.'):
                signal.raise_signal(signal.SIGTERM)
        finally:
            while True:
                time.sleep(10)

    with pytest.raises(StopRequest) as caught, stop_requests():
        train()
    assert caught.value.sentence == 'stopped by SIGTERM: go on.'


@pytest.mark.usefixtures('hooks')
def test_an_error_after_a_request_is_its_own():
    with contextlib.suppress(StopRequest), stop_requests():
        signal.raise_signal(signal.SIGTERM)
    with pytest.raises(AttributeError, match='no request'), stop_requests(), stop_advice():
        raise AttributeError('no request')


@pytest.mark.skipif(not hasattr(os, 'fork'), reason='needs fork')
def test_a_forked_process_ends_by_the_signal_itself():
    ready, write = os.pipe()
    with stop_requests():
        child = os.fork()
        if not child:
            os.write(write, b'.')
            time.sleep(60)
            os._exit(0)
        os.read(ready, 1)
        os.kill(child, signal.SIGTERM)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGTERM
