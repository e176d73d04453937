"""Start of distributed runs on machines without CUDA, and the end of distributed runs."""

import torch
from mmengine.config import Config
from mmengine.dist import is_distributed

from mmlabelpenet.utils import UserError


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
