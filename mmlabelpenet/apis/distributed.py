"""How distributed runs begin on machines without CUDA, and how they end."""

import torch
from mmengine.config import Config
from mmengine.dist import is_distributed

from mmlabelpenet.utils import UserError


def prepare_distributed(cfg: Config) -> None:
    """Make several processes work together on the CPU, where there is no CUDA.

    mmengine sets a CUDA device when it starts a process group, and gives one to the wrapped
    model. Both can be kept from it by public means: it starts no group where there is one,
    and ``model_wrapper_cfg`` overrides the device.

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
    cfg.model_wrapper_cfg = dict(
        {
            'type': 'MMDistributedDataParallel',
            'broadcast_buffers': False,
            'find_unused_parameters': cfg.get('find_unused_parameters', False),
        },
        **cfg.get('model_wrapper_cfg', {}),
        device_ids=None,
    )


def leave_distributed() -> None:
    """Wait until all processes are done, and take leave of one another; nothing if there is one.

    A process that ends while another one still writes what was found may be aborted, and the
    launcher then stops the other in the midst of writing.
    """
    if is_distributed():
        torch.distributed.barrier()
        torch.distributed.destroy_process_group()
