"""Start of distributed runs on machines without CUDA, and the end of distributed runs."""

import os

import torch
from mmengine.config import Config
from mmengine.dist import is_distributed

from mmlabelpenet.utils import UserError

# What tells a process its place, by launcher.
_PLACES = {
    'pytorch': ('RANK', 'WORLD_SIZE', 'LOCAL_RANK', 'MASTER_ADDR', 'MASTER_PORT'),
    'slurm': ('SLURM_PROCID', 'SLURM_NTASKS', 'SLURM_NODELIST'),
    'mpi': ('OMPI_COMM_WORLD_RANK', 'OMPI_COMM_WORLD_SIZE', 'OMPI_COMM_WORLD_LOCAL_RANK'),
}
_STARTERS = {'pytorch': 'tools/dist_train.sh or torchrun', 'slurm': 'srun', 'mpi': 'mpirun'}


def require_place(launcher: str) -> None:
    """Make sure that a process knows its place among those of a distributed run.

    Args:
        launcher: How the processes were started; ``'none'`` for a single one.

    Raises:
        UserError: If it does not, or it is one of several but no launcher is named.
    """
    if is_distributed():
        return
    for name in ('RANK', 'WORLD_SIZE', 'LOCAL_RANK'):
        if not os.environ.get(name, '0').isdecimal():
            raise UserError(
                f'The environment variable {name} is {os.environ[name]!r}, no whole number: '
                f'unset it, or start by {_STARTERS["pytorch"]}.'
            )
    rank, size = (os.environ.get(name) for name in ('RANK', 'WORLD_SIZE'))
    if rank is not None and size is not None and int(rank) >= int(size):
        raise UserError(
            f'RANK is {rank}, but there are {size} processes (WORLD_SIZE), counted from 0: unset '
            f'both, or start by {_STARTERS["pytorch"]}.'
        )
    port = os.environ.get('MASTER_PORT', '0')
    if launcher == 'pytorch' and not (port.isdecimal() and int(port) < 2**16):
        raise UserError(
            f'The environment variable MASTER_PORT is {port!r}, no port: set a whole number from '
            f'1 to 65535, or start by {_STARTERS["pytorch"]}.'
        )
    missing = [name for name in _PLACES.get(launcher, ()) if name not in os.environ]
    if missing and (launcher == 'pytorch' or torch.cuda.is_available()):
        raise UserError(
            f'--launcher {launcher} needs processes that {_STARTERS[launcher]} has started '
            f'({missing[0]} is not set): start by it, or leave --launcher out.'
        )
    if launcher == 'none' and int(os.environ.get('WORLD_SIZE', '1')) > 1:
        raise UserError(
            f'This is one of {os.environ["WORLD_SIZE"]} processes (WORLD_SIZE), each of which '
            'would do the whole work: give --launcher pytorch, or unset WORLD_SIZE and RANK.'
        )


def prepare_distributed(cfg: Config) -> None:
    """Let several processes run on the CPU if there is no CUDA.

    mmengine sets a CUDA device when it starts a process group, and passes one to the wrapped
    model. Neither happens if a process group exists already and ``model_wrapper_cfg`` sets the
    devices.

    Args:
        cfg: With ``launcher``; changed in place.

    Raises:
        UserError: If the launcher is not torch's own and there is no CUDA.
    """
    if cfg.launcher == 'none' or torch.cuda.is_available():
        return
    if cfg.launcher != 'pytorch':
        raise UserError(
            f'--launcher {cfg.launcher} needs CUDA, which is not found; '
            'on CPUs start with tools/dist_train.sh or tools/dist_test.sh.'
        )
    if not is_distributed():
        torch.distributed.init_process_group('gloo')
    cfg.model_wrapper_cfg = {
        'type': 'MMDistributedDataParallel',
        'broadcast_buffers': False,
        'find_unused_parameters': cfg.get('find_unused_parameters', False),
        **(cfg.get('model_wrapper_cfg') or {}),
        'device_ids': None,
    }


def shut_down_distributed() -> None:
    """Synchronise the ranks, then destroy the process group; does nothing without one.

    If a process ended while the main process still writes results, the launcher could stop the
    main process in the middle of writing.
    """
    if is_distributed():
        torch.distributed.barrier()
        torch.distributed.destroy_process_group()
