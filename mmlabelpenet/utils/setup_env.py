"""Registering the package's modules with OpenMMLab's registries.

Heavy modules are imported inside the functions: a process that only makes proposals starts four
times as fast without torch.
"""

import importlib

from .checkpoint_loading import restrict_checkpoint_loading


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
    restrict_checkpoint_loading()
    if init_default_scope and DefaultScope.get_current_instance() is None:
        DefaultScope.get_instance('mmlabelpenet', scope_name='mmlabelpenet')
