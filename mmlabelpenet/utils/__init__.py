"""Utilities for all parts of the package."""

from .arguments import Parser, number
from .atomic_backend import AtomicBackend, latest_checkpoint
from .boxes import box_areas, box_excess, box_intersections, box_iou, box_text
from .brush import decode_brush, encode_brush
from .checkpoint_loading import restrict_checkpoint_loading
from .errors import UserError, explain_read_errors
from .files import (
    WriteError,
    atomic_path,
    explain_write_errors,
    read_file,
    require_writable,
    write_bytes,
    write_lines,
)
from .image import (
    ImageUserError,
    decode_image,
    decoded_size,
    exif_orientation,
    image_size,
    pil_to_bgr,
    read_image,
    read_image_bytes,
    require_aspect,
)
from .image_names import UniqueNames, image_name
from .json_text import load_json
from .masks import Masks, decode_part, mask_areas, to_rles
from .models import in_evaluation, unwrap_model
from .names import advise_name, nearest_name, similar_names, strip_name, visible_name
from .photo_files import IMAGE_SUFFIXES, OTHER_SUFFIXES, list_photos
from .processes import (
    StopRequest,
    end_children,
    end_with_parent,
    start_pool_worker,
    stop_advice,
    stop_requests,
)
from .safe_pickle import dump_arrays, load_arrays, plain
from .screen import close_bars, is_quiet, progress_bar, quieten, say
from .setup_env import register_all_modules
from .tables import markdown_table
from .trust import TRUST_HELP, files_are_trusted, refusal, trust_files
