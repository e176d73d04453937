"""Utilities for all parts of the package."""

from .atomic_backend import AtomicBackend
from .errors import UserError, explain_read_errors
from .files import atomic_path, write_bytes, write_lines
from .image import (
    IMAGE_SUFFIXES,
    ImageUserError,
    decode_image,
    exif_orientation,
    image_size,
    read_image,
    read_image_bytes,
)
from .setup_env import let_checkpoints_be_read, register_all_modules

__all__ = [
    'IMAGE_SUFFIXES',
    'AtomicBackend',
    'ImageUserError',
    'UserError',
    'atomic_path',
    'decode_image',
    'exif_orientation',
    'explain_read_errors',
    'image_size',
    'let_checkpoints_be_read',
    'read_image',
    'read_image_bytes',
    'register_all_modules',
    'write_bytes',
    'write_lines',
]
