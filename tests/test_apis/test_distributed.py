"""How processes of a distributed run end."""

import time

import pytest
import torch.distributed as dist
from test_tools.test_scripts import free_port
from torch.multiprocessing import spawn

from mmlabelpenet.apis import run_command


def work(rank, port, folder):
    """The main process writes late; the other one must still be there then."""
    dist.init_process_group('gloo', init_method=f'tcp://127.0.0.1:{port}', rank=rank, world_size=2)

    def command(argv):
        if rank == 0:
            time.sleep(1)
            (folder / 'written').touch()

    run_command(command, [])
    (folder / f'{rank}.{(folder / "written").exists()}.{dist.is_initialized()}').touch()


@pytest.mark.slow
def test_processes_leave_together_when_all_is_written(tmp_path):
    spawn(work, (free_port(), tmp_path), nprocs=2)
    assert {one.name for one in tmp_path.iterdir()} == {'written', '0.True.False', '1.True.False'}


def test_a_command_of_one_process_has_nobody_to_wait_for():
    seen = []
    run_command(lambda argv: seen.append(argv), ['a'])
    assert seen == [['a']]
