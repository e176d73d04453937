"""Registers all modules when it is imported: configs name it in ``custom_imports``.

So MMEngine's ``Config`` makes the package known to programs that do not, such as mmdet's tools.
"""

from mmlabelpenet.utils import register_all_modules

register_all_modules(init_default_scope=False)
