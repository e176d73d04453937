"""Utilities for all parts of the package."""

from .atomic_backend import AtomicBackend
from .boxes import box_areas, box_intersections, box_iou
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
from .models import in_evaluation, unwrap_model
from .setup_env import let_checkpoints_be_read, register_all_modules
from .tables import markdown_table

__all__ = [
    'IMAGE_SUFFIXES',
    'AtomicBackend',
    'ImageUserError',
    'UserError',
    'atomic_path',
    'box_areas',
    'box_intersections',
    'box_iou',
    'decode_image',
    'exif_orientation',
    'explain_read_errors',
    'image_size',
    'in_evaluation',
    'let_checkpoints_be_read',
    'markdown_table',
    'read_image',
    'read_image_bytes',
    'register_all_modules',
    'unwrap_model',
    'write_bytes',
    'write_lines',
]
