"""Images as everything sees them: proposals, training, testing and painting share this."""

import io
from pathlib import Path

import numpy as np
from PIL import Image

from .errors import UserError

IMAGE_SUFFIXES = ('.jpg', '.jpeg', '.png', '.bmp', '.webp', '.tif', '.tiff')
_EXIF_ORIENTATION = 0x0112
# How a camera was held, by EXIF's number, to what turns the image upright.
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_SWAPS_SIDES = (5, 6, 7, 8)


class ImageUserError(UserError):
    """An image that is missing, cut off, damaged or none: what may be skipped when asked."""


def read_image_bytes(path: str | Path) -> bytes:
    """Read an image's file.

    Args:
        path: The file.

    Raises:
        ImageUserError: If it is missing or unreadable.
    """
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise ImageUserError(
            f'The photo {path} cannot be read ({error.strerror}): restore it.'
        ) from None


def decode_image(data: bytes, name: str | Path) -> np.ndarray:
    """Decode an image of any common kind, strictly: half an image is none.

    JPEGs come out bit for bit as OpenCV decodes them. Images are turned upright as EXIF says.
    CMYK, palette, grey and black-and-white become colour; of 16 bits a channel the upper 8
    count; what is transparent lies on white; of an animation the first frame is taken.

    Args:
        data: The file.
        name: What to call the image in messages.

    Returns:
        [H, W, 3] uint8, BGR.

    Raises:
        ImageUserError: If the file is cut off, damaged or no image.
    """
    try:
        with Image.open(io.BytesIO(data)) as image:
            image.load()
            orientation = _orientation(image)
            rgb = _to_rgb(image)
    # A damaged file fails in as many ways as there are decoders.
    except Exception as error:
        raise _damaged(name, error) from None
    if orientation in _UPRIGHT:
        rgb = rgb.transpose(_UPRIGHT[orientation])
    return np.ascontiguousarray(np.asarray(rgb)[..., ::-1])


def read_image(path: str | Path) -> np.ndarray:
    """Read and decode an image, see :func:`decode_image`.

    Args:
        path: The file; its name may hold any characters.

    Returns:
        [H, W, 3] uint8, BGR.

    Raises:
        ImageUserError: If it is missing, unreadable, cut off, damaged or no image.
    """
    return decode_image(read_image_bytes(path), path)


def image_size(path: str | Path) -> tuple[int, int]:
    """Size of an image once it is upright, without decoding its pixels.

    Args:
        path: The file.

    Returns:
        (height, width) as :func:`read_image` gives them.

    Raises:
        ImageUserError: If it is missing or no image.
    """
    data = read_image_bytes(path)
    try:
        with Image.open(io.BytesIO(data)) as image:
            width, height = image.size
            swapped = _orientation(image) in _SWAPS_SIDES
    except Exception as error:
        raise _damaged(path, error) from None
    return (width, height) if swapped else (height, width)


def _damaged(name: str | Path, error: Exception) -> ImageUserError:
    reason = 'no known kind of photo' if 'cannot identify' in str(error) else error
    return ImageUserError(
        f'The photo {name} is damaged or no photo ({reason}): replace it, remove it, or name it '
        'in a skip list.'
    )


def _orientation(image: Image.Image) -> int:
    try:
        return image.getexif().get(_EXIF_ORIENTATION, 1)
    # Broken EXIF beside whole pixels: they are taken as they are.
    except Exception:
        return 1


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith('I'):
        values = np.asarray(image).astype(np.int64)
        if values.min() < 0 or values.max() > 65535:
            raise ValueError('more than 16 bits a pixel')
        image = Image.fromarray((values >> 8).astype(np.uint8))
    elif image.mode == 'F':
        raise ValueError('pixels are fractions of an unknown range')
    if image.mode in ('RGBA', 'LA', 'PA', 'La', 'RGBa') or 'transparency' in image.info:
        layer = image.convert('RGBA')
        white = Image.new('RGBA', layer.size, (255, 255, 255, 255))
        image = Image.alpha_composite(white, layer)
    return image.convert('RGB')
