"""Small things that every part of the package may use."""

from .errors import UserError
from .files import atomic_path
from .setup_env import register_all_modules

__all__ = ['UserError', 'atomic_path', 'register_all_modules']
