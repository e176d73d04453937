"""Small things that every part of the package may use."""

from .atomic_backend import AtomicBackend
from .errors import UserError
from .files import atomic_path
from .setup_env import let_checkpoints_be_read, register_all_modules

__all__ = [
    'AtomicBackend',
    'UserError',
    'atomic_path',
    'let_checkpoints_be_read',
    'register_all_modules',
]
