"""Utilities for all parts of the package."""

from .atomic_backend import AtomicBackend
from .boxes import box_areas, box_intersections, box_iou
from .errors import UserError, explain_read_errors
from .files import (
    WriteError,
    atomic_path,
    explain_write_errors,
    require_writable,
    write_bytes,
    write_lines,
)
from .image import (
    IMAGE_SUFFIXES,
    ImageUserError,
    decode_image,
    exif_orientation,
    image_size,
    read_image,
    read_image_bytes,
)
from .image_names import UniqueNames, image_name
from .masks import Masks, to_rles
from .models import in_evaluation, unwrap_model
from .setup_env import let_checkpoints_be_read, register_all_modules
from .tables import markdown_table
