"""Utilities for all parts of the package."""

from .arguments import number
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
from .names import advise_name, nearest_name
from .processes import (
    StopRequest,
    end_children,
    end_with_parent,
    start_pool_worker,
    stop_advice,
    stop_requests,
)
from .setup_env import let_checkpoints_be_read, register_all_modules
from .tables import markdown_table
