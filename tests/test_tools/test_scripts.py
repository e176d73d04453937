import json
import os
import pickle
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch

from .conftest import REPOSITORY

SCRIPTS = sorted(path.name for path in (REPOSITORY / 'tools').glob('*.sh'))


def free_port():
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        return probe.getsockname()[1]


def run_script(name, *args, cwd, **variables):
    env = {
        **os.environ,
        'PORT': str(free_port()),
        **variables,
        'OMP_NUM_THREADS': '1',
        # the interpreter of this test, and the toy model for its config
        'PATH': f'{Path(sys.executable).parent}:{os.environ["PATH"]}',
        'PYTHONPATH': os.pathsep.join([str(REPOSITORY), *sys.path]),
    }
    env.pop('LOCAL_RANK', None)
    return subprocess.run(
        [
            'bash' if name.endswith('.sh') else sys.executable,
            str(REPOSITORY / 'tools' / name),
            *map(str, args),
        ],
        cwd=cwd,
        env=env,
        capture_output=True,
        text=True,
        timeout=300,
    )


def run_on_nodes(nodes, name, *args, cwd):
    """Start a script once per node, at the same time, as on machines that share a disk."""
    shared = dict(NNODES=str(nodes), MASTER_ADDR='127.0.0.1', PORT=str(free_port()))
    with ThreadPoolExecutor(nodes) as pool:
        started = [
            pool.submit(run_script, name, *args, cwd=cwd, **shared, NODE_RANK=str(rank))
            for rank in range(nodes)
        ]
    for one in started:
        assert one.result().returncode == 0, one.result().stderr[-2000:]


@pytest.mark.parametrize('name', SCRIPTS)
def test_a_script_without_arguments_prints_its_usage(name, tmp_path):
    result = run_script(name, cwd=tmp_path)
    assert result.returncode == 2
    assert result.stderr.startswith('usage: ')


def test_a_tool_leaves_one_sentence_and_code_2_from_any_folder(tmp_path):
    result = subprocess.run(
        [sys.executable, str(REPOSITORY / 'tools/test.py'), 'nope.py', 'nope.pth'],
        cwd=tmp_path,
        env={**os.environ, 'PYTHONPATH': str(REPOSITORY)},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 2
    assert (
        result.stderr == 'error: There is no config nope.py; see configs/ for those there are.\n'
    )


@pytest.mark.slow
@pytest.mark.skipif(torch.cuda.is_available(), reason='two processes need two GPUs')
def test_two_processes_train_and_two_nodes_test_on_the_cpu(tool, config, tmp_path):
    trained = run_script('dist_train.sh', config, 2, cwd=tmp_path)
    assert trained.returncode == 0, trained.stderr[-2000:]
    checkpoint = tmp_path / 'work' / 'epoch_1.pth'
    # three images on two processes: the sampler takes the first one twice
    test = [config, checkpoint, '--cfg-options', 'model.blind=[val_00001]']
    tool('test', *test)
    metrics = tmp_path / 'work' / 'metrics.json'
    of_one_process = json.loads(metrics.read_text())
    metrics.unlink()
    dump = tmp_path / 'found.pkl'
    tested = run_script('dist_test.sh', *test[:2], 2, '--out', dump, *test[2:], cwd=tmp_path)
    assert tested.returncode == 0, tested.stderr[-2000:]
    assert json.loads(metrics.read_text()) == of_one_process
    assert 0 < of_one_process['bbox_mAP_50'] < 1
    dumped = [sample['img_id'] for sample in pickle.loads(dump.read_bytes())]
    assert dumped == [f'val_{index:05d}' for index in range(3)]
    metrics.unlink()
    dump.unlink()
    run_on_nodes(2, 'dist_test.sh', *test[:2], 1, '--out', dump, *test[2:], cwd=tmp_path)
    assert json.loads(metrics.read_text()) == of_one_process
    assert [sample['img_id'] for sample in pickle.loads(dump.read_bytes())] == dumped
    logs = [path.read_text() for path in (tmp_path / 'work').rglob('*.log')]
    assert any('Distributed training: True' in log for log in logs)
