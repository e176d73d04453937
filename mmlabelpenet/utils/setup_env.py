"""Making the package's modules known to OpenMMLab's registries.

Nothing heavy is imported before it is asked for: a process that only makes proposals starts in a
quarter of the time without torch.
"""

import importlib
from typing import Any


def register_all_modules(init_default_scope: bool = True) -> None:
    """Import every registered module of mmdet and of this package.

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
    """Read whole checkpoints with OpenMMLab's own mmengine too.

    Up to 0.10.7 it leaves ``weights_only`` of ``torch.load`` to torch, which since 2.6 refuses
    the log that a checkpoint holds beside the weights. The forks read checkpoints whole.
    """
    from mmengine.runner import CheckpointLoader, checkpoint

    if not hasattr(checkpoint, '_safe_torch_load'):
        CheckpointLoader.register_scheme('', loader=_load_from_local, force=True)


def _load_from_local(filename: str, map_location: Any = None) -> Any:
    import torch

    return torch.load(filename, map_location=map_location, weights_only=False)
