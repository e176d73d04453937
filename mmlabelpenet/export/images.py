"""Images in an export."""

from collections.abc import Sequence
from pathlib import Path

import cv2
from PIL import Image

from mmlabelpenet.utils import UserError, atomic_path, exif_orientation

from .records import ImageReader, LabelledImage

_QUALITY = 95


def is_plain_jpeg(path: str | Path) -> bool:
    """Whether every reader sees the same pixels in an image's file: an upright 8-bit JPEG."""
    try:
        with Image.open(path) as image:
            upright = exif_orientation(image) == 1
            return image.format == 'JPEG' and image.mode in ('L', 'RGB') and upright
    except OSError:
        return False


def place_image(source: str, target: Path, read: ImageReader, link: bool = False) -> None:
    """Put an image into an export as a JPEG: copied byte by byte where it is a plain one.

    Others (PNG, CMYK, turned by EXIF, ...) are written as the model has seen them.

    Args:
        source: The image.
        target: Where it goes, with the suffix ``.jpg``.
        read: Reads an image as the model sees it.
        link: Whether to link plain JPEGs in place of copying them.
    """
    with atomic_path(target) as temporary:
        if not is_plain_jpeg(source):
            coded = cv2.imencode('.jpg', read(source), [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])[1]
            temporary.write_bytes(coded.tobytes())
        elif link:
            temporary.symlink_to(Path(source).absolute())
        else:
            temporary.write_bytes(Path(source).read_bytes())


def require_elsewhere(images: Sequence[LabelledImage], folder: Path) -> None:
    """Make sure that an export does not write over the data set that it comes from.

    Args:
        images: The images.
        folder: Where the export puts images.

    Raises:
        UserError: If some lie there already.
    """
    folder = folder.resolve()
    for photo in images:
        if Path(photo.img_path).resolve().parent == folder:
            raise UserError(
                f'{photo.img_path} lies in {folder}, so that the export would overwrite its own '
                'data set: choose another folder for --out.'
            )
