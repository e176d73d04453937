"""Making the package's modules known to OpenMMLab's registries."""

import importlib

from mmengine.registry import DefaultScope


def register_all_modules(init_default_scope: bool = True) -> None:
    """Import every registered module of mmdet and of this package.

    Args:
        init_default_scope: Whether to make ``mmlabelpenet`` the default scope, so that
            ``MODELS.build`` works outside a Runner.
    """
    from mmdet.utils import register_all_modules as register_mmdet

    register_mmdet(init_default_scope=False)
    for part in ('datasets', 'engine', 'evaluation', 'models', 'visualization'):
        importlib.import_module(f'mmlabelpenet.{part}')
    if init_default_scope and DefaultScope.get_current_instance() is None:
        DefaultScope.get_instance('mmlabelpenet', scope_name='mmlabelpenet')
