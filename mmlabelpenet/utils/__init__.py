"""Utilities for all parts of the package."""

from .atomic_backend import AtomicBackend
from .errors import UserError
from .files import atomic_path, read_text, write_bytes, write_lines
from .image import (
    IMAGE_SUFFIXES,
    ImageUserError,
    decode_image,
    exif_orientation,
    image_size,
    read_image,
    read_image_bytes,
)
from .setup_env import allow_full_checkpoints, register_all_modules

__all__ = [
    'IMAGE_SUFFIXES',
    'AtomicBackend',
    'ImageUserError',
    'UserError',
    'allow_full_checkpoints',
    'atomic_path',
    'decode_image',
    'exif_orientation',
    'image_size',
    'read_image',
    'read_image_bytes',
    'read_text',
    'register_all_modules',
    'write_bytes',
    'write_lines',
]
