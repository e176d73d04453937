"""Small things that every part of the package may use."""

from .atomic_backend import AtomicBackend
from .errors import UserError
from .files import atomic_path
from .photo import (
    PHOTO_SUFFIXES,
    PhotoUserError,
    decode_photo,
    photo_size,
    read_photo,
    read_photo_bytes,
)
from .setup_env import let_checkpoints_be_read, register_all_modules

__all__ = [
    'PHOTO_SUFFIXES',
    'AtomicBackend',
    'PhotoUserError',
    'UserError',
    'atomic_path',
    'decode_photo',
    'let_checkpoints_be_read',
    'photo_size',
    'read_photo',
    'read_photo_bytes',
    'register_all_modules',
]
