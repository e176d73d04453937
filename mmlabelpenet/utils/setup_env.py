"""Registering the package's modules with OpenMMLab's registries.

Heavy modules are imported inside the functions: a process that only makes proposals starts four
times as fast without torch.
"""

import importlib
from typing import Any


def register_all_modules(init_default_scope: bool = True) -> None:
    """Import every module of mmdet and of this package that registers something.

    Args:
        init_default_scope: Whether to make ``mmlabelpenet`` the default scope, so that
            ``MODELS.build`` works outside a Runner.
    """
    from mmdet.utils import register_all_modules as register_mmdet
    from mmengine.registry import DefaultScope

    register_mmdet(init_default_scope=False)
    for part in ('datasets', 'engine', 'evaluation', 'models', 'visualization'):
        importlib.import_module(f'mmlabelpenet.{part}')
    let_checkpoints_be_read()
    if init_default_scope and DefaultScope.get_current_instance() is None:
        DefaultScope.get_instance('mmlabelpenet', scope_name='mmlabelpenet')


def let_checkpoints_be_read() -> None:
    """Make the original MMEngine load checkpoints that hold more than weights.

    Up to 0.10.7 it does not set ``weights_only`` of ``torch.load``, whose default since torch 2.6
    refuses the training log in a checkpoint. The forks of MMEngine load whole checkpoints.
    """
    from mmengine.runner import CheckpointLoader, checkpoint

    if not hasattr(checkpoint, '_safe_torch_load'):
        CheckpointLoader.register_scheme('', loader=_load_from_local, force=True)


def _load_from_local(filename: str, map_location: Any = None) -> Any:
    import torch

    return torch.load(filename, map_location=map_location, weights_only=False)
