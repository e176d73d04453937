"""Models and their wrappers."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


def unwrap_model(model: 'torch.nn.Module') -> 'torch.nn.Module':
    """Get the model itself from a wrapper such as ``MMDistributedDataParallel``.

    Args:
        model: A model, wrapped or not.
    """
    # not at the top: what needs no torch starts without it
    from mmengine.model import is_model_wrapper

    return model.module if is_model_wrapper(model) else model


@contextmanager
def in_evaluation(module: 'torch.nn.Module') -> Iterator[None]:
    """Switch a module to evaluation mode, and afterwards every part back to the mode it had."""
    modes = [(part, part.training) for part in module.modules()]
    module.eval()
    try:
        yield
    finally:
        for part, mode in modes:
            part.training = mode
