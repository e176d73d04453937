"""How commands end by signals: with one line, with their children, with 128 + the signal."""

import os
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path

import pytest
import torch

from .conftest import REPOSITORY

TRAIN = 'tools/train.py'
LINUX = pytest.mark.skipif(sys.platform != 'linux', reason='reads /proc')


def start(marker, *command, cwd):
    """Start a command whose processes all have a mark in their environment."""
    env = {
        **os.environ,
        'MARK': marker,
        'OMP_NUM_THREADS': '1',
        'PATH': f'{Path(sys.executable).parent}:{os.environ["PATH"]}',
        'PYTHONPATH': os.pathsep.join([str(REPOSITORY), *sys.path]),
    }
    for name in ('LOCAL_RANK', 'PORT'):
        env.pop(name, None)
    return subprocess.Popen(
        [*map(str, command)],
        cwd=cwd,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        # ignored where the tests run in the background of a shell, and then inherited
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def alive(marker):
    """The processes that have the mark and are no zombies."""
    found = []
    for folder in Path('/proc').glob('[0-9]*'):
        try:
            marked = f'MARK={marker}'.encode() in (folder / 'environ').read_bytes()
            if marked and ' Z ' not in (folder / 'stat').read_text():
                found.append(int(folder.name))
        except (OSError, PermissionError):
            continue
    return found


def wait_until(true, seconds):
    for _ in range(int(seconds * 10)):
        if true():
            return True
        time.sleep(0.1)
    return False


# a training that only a signal ends
ENDLESS = ['--cfg-options', 'train_cfg.max_epochs=100000', 'train_dataloader.num_workers=2']


@LINUX
@pytest.mark.slow
@pytest.mark.parametrize(
    ('number', 'name'), [(signal.SIGTERM, 'SIGTERM'), (signal.SIGINT, 'SIGINT')]
)
def test_a_training_ends_with_a_line_that_says_how_to_go_on(number, name, config, tmp_path):
    marker = uuid.uuid4().hex
    process = start(marker, sys.executable, REPOSITORY / TRAIN, config, *ENDLESS, cwd=tmp_path)
    assert wait_until((tmp_path / 'work/epoch_2.pth').exists, 100)
    process.send_signal(number)
    said, _ = process.communicate(timeout=30)
    assert process.returncode == 128 + number
    last = said.strip().splitlines()[-1]
    assert last.startswith(f'stopped by {name}: run the same command with --resume to go on from')
    assert Path(last.split()[-1].rstrip('.')).is_file()
    assert 'Traceback' not in said
    assert wait_until(lambda: not alive(marker), 10)


@LINUX
@pytest.mark.slow
@pytest.mark.skipif(torch.cuda.is_available(), reason='two processes need two GPUs')
@pytest.mark.parametrize('number', [signal.SIGTERM, signal.SIGKILL])
def test_the_processes_of_a_launch_script_end_with_it(number, config, tmp_path):
    marker = uuid.uuid4().hex
    script = REPOSITORY / 'tools/dist_train.sh'
    process = start(marker, 'bash', script, config, 2, *ENDLESS, cwd=tmp_path)
    assert wait_until((tmp_path / 'work/epoch_2.pth').exists, 150)
    process.send_signal(number)
    said, _ = process.communicate(timeout=60)
    if number == signal.SIGTERM:
        assert process.returncode == 143
        assert 'stopped by SIGTERM: run the same command with --resume' in said
    assert wait_until(lambda: not alive(marker), 20)


@LINUX
def test_a_signal_that_is_ignored_stays_so():
    code = (
        'import os, signal\n'
        'from mmlabelpenet.utils import stop_requests\n'
        'signal.signal(signal.SIGHUP, signal.SIG_IGN)\n'
        'with stop_requests():\n'
        '    os.kill(os.getpid(), signal.SIGHUP)\n'
        "    print('alive')\n"
    )
    process = start('', sys.executable, '-c', code, cwd=REPOSITORY)
    assert process.communicate()[0] == 'alive\n'
