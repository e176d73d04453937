"""Mixed-precision training on GPU and on CPU."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from mmengine.config import Config
from mmengine.optim import OptimWrapper
from mmengine.registry import OPTIM_WRAPPERS
from torch import nn


@OPTIM_WRAPPERS.register_module()
class BFloat16OptimWrapper(OptimWrapper):
    """Runs the forward pass in bfloat16 on the CPU, which mmengine's ``AmpOptimWrapper`` refuses.

    bfloat16 has the range of float32, so the losses need no scaling. The arguments are those of
    ``OptimWrapper``. It is registered in mmengine's root registry, which every scope falls back
    to.
    """

    @contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        """Add autocast to the parent's context, which skips needless gradient synchronisation."""
        with super().optim_context(model), torch.autocast('cpu', dtype=torch.bfloat16):
            yield


def enable_amp(cfg: Config) -> None:
    """Set a config to mixed precision: float16 with CUDA, bfloat16 without.

    Args:
        cfg: With ``optim_wrapper``; changed in place.
    """
    if torch.cuda.is_available():
        cfg.optim_wrapper.update(type='AmpOptimWrapper', loss_scale='dynamic')
    else:
        cfg.optim_wrapper.type = 'BFloat16OptimWrapper'
        for key in ('loss_scale', 'dtype'):
            cfg.optim_wrapper.pop(key, None)
