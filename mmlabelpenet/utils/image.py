"""Image decoding that proposals, training, testing and visualization share."""

import io
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import cv2
import numpy as np
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from .errors import UserError
from .files import read_file

# Pillow opens no larger images, which would take gigabytes.
MAX_PIXELS = 178_956_970
# At the size that the network sees, a longer image may have no pixel of height left.
MAX_ASPECT = 100
# Values of EXIF's orientation with which width and height change places.
SIDES_SWAPPED = (5, 6, 7, 8)
# Formats that other programs draw.
VECTOR_FORMATS = ('EPS', 'WMF', 'EMF')
IMAGE_SUFFIXES = ('.jpg', '.jpeg', '.png', '.bmp', '.webp', '.tif', '.tiff')


class _KindError(ValueError):
    """An image of a kind that has no single meaning as a photo."""


class ImageUserError(UserError):
    """A file that is missing, truncated, damaged or no image; users may choose to skip it."""


def read_image_bytes(path: str | Path) -> bytes:
    """Read an image's file.

    Args:
        path: The file.

    Raises:
        ImageUserError: If it is missing, unreadable or no regular file.
    """
    try:
        return read_file(path)
    except OSError as error:
        raise ImageUserError(
            f'The photo {path} cannot be read ({error.strerror}): restore it, or name it '
            'in a skip list.'
        ) from None


def decode_image(data: bytes, name: str | Path) -> np.ndarray:
    """Decode an image of any common kind; a truncated file is an error.

    JPEGs are decoded bit for bit as OpenCV does. Images are rotated as their EXIF orientation
    says. CMYK, palette, greyscale and bilevel images are converted to colour. Of 16 bits per
    channel the upper 8 are kept. Transparent pixels are blended with white. Of an animation the
    first frame is used.

    Args:
        data: Content of the file.
        name: Name of the image in messages.

    Returns:
        [H, W, 3] uint8, BGR.

    Raises:
        ImageUserError: If the file is truncated, damaged or no image, or the image is too large or
            too long.
    """
    with _opened(data, name) as image:
        require_aspect(*image.size[::-1], name)
        image.load()
        # In place: pixels are rotated even if broken EXIF data then fails to be rewritten.
        with suppress(Exception):
            ImageOps.exif_transpose(image, in_place=True)
        rgb = _to_rgb(image)
    return cv2.cvtColor(np.asarray(rgb), cv2.COLOR_RGB2BGR)


def read_image(path: str | Path) -> np.ndarray:
    """Read and decode an image, see :func:`decode_image`.

    Args:
        path: The file; its name may hold any characters.

    Returns:
        [H, W, 3] uint8, BGR.

    Raises:
        ImageUserError: If it is missing, unreadable, truncated, damaged or no image.
    """
    return decode_image(read_image_bytes(path), path)


def image_size(path: str | Path) -> tuple[int, int]:
    """Read the size of an image after EXIF rotation, without decoding it (but for TIFFs).

    Args:
        path: The file.

    Returns:
        (height, width) as :func:`read_image` gives them.

    Raises:
        ImageUserError: If it is missing or no image.
    """
    with _opened(read_image_bytes(path), path) as image:
        # Pillow itself rotates TIFFs; depending on its version, not before it decodes them.
        if image.format == 'TIFF':
            image.load()
        width, height = image.size
        sides_swapped = exif_orientation(image) in SIDES_SWAPPED
    return (width, height) if sides_swapped else (height, width)


def decoded_size(data: bytes, name: str | Path) -> tuple[int, int]:
    """Find out whether :func:`decode_image` decodes an image, and to which size.

    A JPEG is read to its end but computed at an eighth of its size, in half of the time.

    Args:
        data: Content of the file.
        name: Name of the image in messages.

    Returns:
        (height, width).

    Raises:
        ImageUserError: As :func:`decode_image`.
    """
    with _opened(data, name) as image:
        width, height = image.size
        if image.format == 'JPEG':
            require_aspect(height, width, name)
            sides_swapped = exif_orientation(image) in SIDES_SWAPPED
            image.draft(None, (1, 1))
            image.load()
            return (width, height) if sides_swapped else (height, width)
    height, width = decode_image(data, name).shape[:2]
    return height, width


def exif_orientation(image: Image.Image) -> int:
    """Read EXIF's number of an image's orientation; 1 (upright) without or with broken EXIF."""
    with suppress(Exception):
        return image.getexif().get(ExifTags.Base.Orientation, 1)
    return 1


def require_aspect(height: int, width: int, name: str | Path) -> None:
    """Require that an image is not too long to be resized for the network.

    Args:
        height: Its height in pixels.
        width: Its width in pixels.
        name: Its name in the message.

    Raises:
        ImageUserError: If one side is more than ``MAX_ASPECT`` times the other.
    """
    if max(height, width) > MAX_ASPECT * min(height, width):
        raise ImageUserError(
            f'The photo {name} has {width} x {height} pixels, one side more than {MAX_ASPECT} '
            'times the other: crop it, or name it in a skip list.'
        )


@contextmanager
def _opened(data: bytes, name: str | Path) -> Iterator[Image.Image]:
    try:
        with Image.open(io.BytesIO(data)) as image:
            if image.format in VECTOR_FORMATS:
                raise _KindError(f'{image.format} is a drawing')
            yield image
    except ImageUserError:
        raise
    except Image.DecompressionBombError:
        raise ImageUserError(
            f'The photo {name} has more than {MAX_PIXELS / 1e6:.0f} megapixels: make it smaller, '
            'or name it in a skip list.'
        ) from None
    # A damaged file can raise anything, depending on the decoder.
    except Exception as error:
        reason = 'truncated or damaged data'
        if isinstance(error, UnidentifiedImageError):
            reason = 'unknown format'
        elif isinstance(error, _KindError):
            reason = str(error)
        raise ImageUserError(
            f'The photo {name} is damaged or no photo ({reason}): replace it, remove it, or name '
            'it in a skip list.'
        ) from None


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith('I'):
        values = np.asarray(image).astype(np.int64)
        if values.min() < 0 or values.max() > 65535:
            raise _KindError('more than 16 bits per pixel')
        image = Image.fromarray((values >> 8).astype(np.uint8))
    elif image.mode == 'F':
        raise _KindError('floating-point pixels of unknown range')
    if image.mode in ('RGBA', 'LA', 'PA', 'La', 'RGBa') or 'transparency' in image.info:
        layer = image.convert('RGBA')
        white = Image.new('RGBA', layer.size, (255, 255, 255, 255))
        image = Image.alpha_composite(white, layer)
    return image.convert('RGB')
