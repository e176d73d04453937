"""Image decoding that proposals, training, testing and visualization share."""

import io
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from .errors import LFS_POINTER, LFS_REMEDY, WEB_PAGE, UserError
from .files import read_file

# Pillow opens no larger images, which would take gigabytes.
MAX_PIXELS = 178_956_970
# At the size that the network sees, a longer image may have no pixel of height left.
MAX_ASPECT = 100
# Values of EXIF's orientation with which width and height change places.
SIDES_SWAPPED = (5, 6, 7, 8)
# Formats that other programs draw.
VECTOR_FORMATS = ('EPS', 'WMF', 'EMF')
RAW = "a camera's raw file: develop it to JPEG"
# How files begin that are often taken for photos, and what to do.
OTHER_KINDS = {
    rb'.{4}ftyp(hei|hev|mif|msf|avi)': 'HEIC or AVIF: convert it to JPEG',
    rb'.{4}ftypcrx|FUJIFILMCCD-RAW|II(U\0|R[OS])|MMOR|FOVb|\0MRM': RAW,
    rb'\0\x05\x16[\0\x07]': 'a companion file of macOS: remove it',
    rb'II\*\0|MM\0\*': (
        "a damaged TIFF, one of fractions, 32 bits or unnamed bands, or a camera's raw file: save "
        'it as JPEG'
    ),
    rb'\0*\Z': 'an empty file, or one of zeros: copy it again',
    rb'.{4}ftyp': 'a video: save its frames',
    re.escape(LFS_POINTER): LFS_REMEDY,
    WEB_PAGE: 'a web page: download the photo itself',
    rb'\s*(<\?xml|\{|https?://|data:image)': 'a text: download the photo itself',
}
# What ends the data of a JPEG's scan.
SCAN_END = re.compile(rb'\xff[^\0\xd0-\xd7]')
# Symbols of a JPEG that end several blocks.
BLOCK_ENDS = frozenset(range(0x10, 0xF0, 0x10))
# Bytes of zeros that no photo has within its data.
LONG_ZEROS = bytes(64)
# A photo of 16 bits that is darker than this, of 255, has values of 14, 12 or fewer bits.
DARKEST = 64


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
    channel the upper 8 are kept, if they are used. Transparent pixels are blended with white; a
    photo without others is an error. Of an animation the first frame is used.

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
        # What Pillow reads; once it is read, it is forgotten.
        tiles = getattr(image, 'tile', ())
        is_deep = image.mode.startswith('I') or any(';16' in str(one[3]) for one in tiles)
        _load(image, data, name)
        # In place: pixels are rotated even if broken EXIF data then fails to be rewritten.
        with suppress(Exception):
            ImageOps.exif_transpose(image, in_place=True)
        rgb = _to_rgb(image)
        if is_deep and np.asarray(rgb).max() < DARKEST and not _is_widened(data):
            raise _KindError(
                'its 16 bits hold values of fewer bits, which would be black: convert it to 8 bits'
            )
    return cv2.cvtColor(np.asarray(rgb), cv2.COLOR_RGB2BGR)


def pil_to_bgr(image: Image.Image) -> np.ndarray:
    """Convert an image that Pillow has opened, as :func:`decode_image` does.

    Args:
        image: Of any mode.

    Returns:
        [H, W, 3] uint8, BGR.

    Raises:
        ImageUserError: If it is transparent everywhere, or its pixels have no known range.
    """
    try:
        rgb = _to_rgb(ImageOps.exif_transpose(image))
    except _KindError as error:
        raise ImageUserError(f'A PIL image is no photo ({error}): convert it.') from None
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
            sides_swapped = exif_orientation(image) in SIDES_SWAPPED
            _load(image, data, name, small=True)
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
            if image.format == 'TIFF':
                _require_plain(image.tag_v2, data)
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


def _load(image: Image.Image, data: bytes, name: str | Path, small: bool = False) -> None:
    """Read the pixels of an opened image; ``small``: at an eighth of the size if it is a JPEG."""
    require_aspect(*image.size[::-1], name)
    if image.format in ('JPEG', 'MPO') and _has_hole(data):
        raise _KindError('zeros within its data')
    if small:
        image.draft(None, (1, 1))
    image.load()


def _other_kind(data: bytes) -> str:
    """Name the kind of a file that is no image."""
    kinds = OTHER_KINDS.items()
    return next(
        (kind for one, kind in kinds if re.match(one, data, re.I | re.S)), 'unknown format'
    )


def _require_plain(tags: Mapping[int, Any], data: bytes) -> None:
    """Refuse a TIFF that Pillow would read as another photo than it shows."""
    bits = tags.get(ExifTags.Base.BitsPerSample, (1,))
    is_small_copy = tags.get(ExifTags.Base.NewSubfileType, 0) & 1
    kinds = {
        RAW: is_small_copy or ExifTags.Base.DNGVersion in tags or data[8:10] == b'CR',
        '16 bits of which 0 is white: convert it to 8 bits': (
            bits == (16,) and tags.get(ExifTags.Base.PhotometricInterpretation) == 0
        ),
        'planes of 16 bits: convert it to 8 bits': (
            len(bits) > 1 and bits[0] == 16 and tags.get(ExifTags.Base.PlanarConfiguration) == 2
        ),
        'signed values: convert it to 8 bits without sign': (
            bits[0] <= 16 and 2 in tags.get(ExifTags.Base.SampleFormat, ())
        ),
    }
    for kind in filter(kinds.get, kinds):
        raise _KindError(kind)


def _is_widened(data: bytes) -> bool:
    """Whether 16 bits hold values of 8 bits in full range, so that a dark photo is just dark."""
    values = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    return values is not None and values.dtype == np.uint16 and not (values % 257).any()


def _has_hole(data: bytes) -> bool:
    """Whether a JPEG was partly overwritten by zeros, which decoders take for grey pixels.

    The first symbol of a Huffman table has a code of zeros. Unless it ends a block, as in flat
    images, a long row of zeros would be blocks in which all coefficients are the same. Where
    blocks are ended in runs, as in progressive files, zeros do not end many blocks either.
    """
    start, has_no_zeros = 2, dict[int, bool]()
    # Behind the end of the image there may be anything.
    while data[start : start + 1] == b'\xff' and data[start + 1] != 0xD9:
        marker, end = (
            data[start + 1],
            start + 2 + int.from_bytes(data[start + 2 : start + 4], 'big'),
        )
        tables = data[start + 4 : end] if marker == 0xC4 else b''
        while len(tables) > 17:
            last = 17 + sum(tables[1:17])
            symbols = tables[17:last]
            has_no_zeros[tables[0]] = any(symbols[:1]) or not BLOCK_ENDS.isdisjoint(symbols)
            tables = tables[last:]
        if marker == 0xDA:
            found = SCAN_END.search(data, end)
            # The AC table of the brightness, or of a progressive file's scan.
            table, highest = 0x10 | data[start + 6] & 15, data[end - 2]
            start, end = end, found.start() if found else len(data)
            # Scans of first coefficients have zeros where neighbours are alike, refining ones
            # up to 1000 bits.
            zeros = LONG_ZEROS * (4 if data[start - 3] > 0 else 1)
            if highest > 0 and has_no_zeros.get(table) and data.find(zeros, start, end) >= 0:
                return True
        start = end
    return False


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
        if np.asarray(layer.getchannel('A')).max() <= 1:
            raise _KindError('it is transparent everywhere: remove its alpha channel')
        white = Image.new('RGBA', layer.size, (255, 255, 255, 255))
        image = Image.alpha_composite(white, layer)
    return image.convert('RGB')
