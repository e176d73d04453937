"""Image decoding that proposals, training, testing and visualization share."""

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from .errors import UserError
from .files import read_file

# Pillow opens no larger images, which would take gigabytes.
MAX_PIXELS = 178_956_970
# At the size that the network sees, a longer image may have no pixel of height left.
MAX_ASPECT = 100
# Formats that other programs draw.
VECTOR_FORMATS = ('EPS', 'WMF', 'EMF')
# How files begin that are often taken for photos, and what to do.
OTHER_KINDS = {
    rb'.{4}ftyp(hei|hev|mif|msf|avi)': 'HEIC or AVIF: convert it to JPEG',
    rb'.{4}ftyp': 'a video: save its frames',
    rb'version https://git-lfs': 'a pointer of Git LFS: run `git lfs pull`',
    rb'\s*<(!doctype html|html|head|body)': 'a web page: download the photo itself',
    rb'\s*(<\?xml|\{|https?://|data:image)': 'a text: download the photo itself',
}
# Bytes of zeros that no photo has within its data.
LONG_ZEROS = bytes(64)
# A photo of 16 bits that is darker than this, of 255, has values of 14, 12 or fewer bits.
DARKEST = 64
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
    channel the upper 8 are kept, if they are used. Transparent pixels are blended with white. Of
    an animation the first frame is used.

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
        # What Pillow reads; once it is read, it is forgotten.
        tiles = getattr(image, 'tile', ())
        is_deep = image.mode.startswith('I') or any(';16' in str(one[3]) for one in tiles)
        if image.format in ('JPEG', 'MPO') and _has_hole(data):
            raise _KindError('zeros within its data')
        image.load()
        # In place: pixels are rotated even if broken EXIF data then fails to be rewritten.
        with suppress(Exception):
            ImageOps.exif_transpose(image, in_place=True)
        rgb = _to_rgb(image)
        if is_deep and np.asarray(rgb).max() < DARKEST:
            raise _KindError(
                'its 16 bits hold values of fewer bits, which would be black: convert it to 8 bits'
            )
    return np.ascontiguousarray(np.asarray(rgb)[..., ::-1])


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
        sides_swapped = exif_orientation(image) in (5, 6, 7, 8)
    return (width, height) if sides_swapped else (height, width)


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
            reason = _other_kind(data)
        elif isinstance(error, _KindError):
            reason = str(error)
        raise ImageUserError(
            f'The photo {name} is damaged or no photo ({reason}): replace it, remove it, or name '
            'it in a skip list.'
        ) from None


def _other_kind(data: bytes) -> str:
    """Name the kind of a file that is no image."""
    kinds = OTHER_KINDS.items()
    return next(
        (kind for one, kind in kinds if re.match(one, data, re.I | re.S)), 'unknown format'
    )


def _has_hole(data: bytes) -> bool:
    """Whether a JPEG was partly overwritten by zeros, which decoders take for grey pixels.

    The first symbol of a Huffman table has a code of zeros. Unless it ends a block, as in flat
    images, a long row of zeros would be blocks in which all coefficients are the same.
    """
    start, first = 2, 0
    while data[start : start + 1] == b'\xff' and data[start + 1] != 0xDA:
        end = start + 2 + int.from_bytes(data[start + 2 : start + 4], 'big')
        tables = data[start + 4 : end] if data[start + 1] == 0xC4 else b''
        while len(tables) > 17:
            # The AC table of the brightness.
            first = tables[17] if tables[0] == 0x10 else first
            tables = tables[17 + sum(tables[1:17]) :]
        start = end
    # Behind the end of the image there may be anything.
    return first > 0 and LONG_ZEROS in data[start : data.find(b'\xff\xd9', start)]


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
