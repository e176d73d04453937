"""Models and their wrappers."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn


def unwrap_model(model: 'nn.Module') -> 'nn.Module':
    """Get the model itself from a wrapper such as ``MMDistributedDataParallel``.

    Args:
        model: A model, wrapped or not.
    """
    # not at the top: what needs no torch starts without it
    from mmengine.model import is_model_wrapper

    return model.module if is_model_wrapper(model) else model
