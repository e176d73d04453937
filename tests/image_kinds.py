"""Images of all common kinds, for tests."""

import cv2
import numpy as np
from PIL import Image

HEIGHT, WIDTH = 48, 64
ORIENTATION = 0x0112


def scene(height=HEIGHT, width=WIDTH):
    """An RGB image with different corners, smooth enough for JPEG."""
    rows, columns = np.mgrid[0:height, 0:width]
    red = 255 * rows // height
    green = 255 * columns // width
    blue = np.where((rows < height // 3) & (columns < width // 4), 220, 30)
    return np.stack([red, green, blue], axis=-1).astype(np.uint8)


def _exif(orientation):
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    return exif


def _save(img, path, **options):
    Image.fromarray(img).save(path, **options)


def _deep(path, channels):
    values = scene().astype(np.uint16) * 256 + 77
    cv2.imwrite(str(path), values[..., 0] if channels == 1 else values[..., ::-1])


def _palette(path, transparent=False):
    image = Image.fromarray(scene()).quantize(16)
    image.save(path, **({'transparency': 3} if transparent else {}))


def _truncate(path):
    _save(scene(), path)
    path.write_bytes(path.read_bytes()[:-40])


MAKERS = {
    'colour.jpg': lambda path: _save(scene(), path),
    'colour.png': lambda path: _save(scene(), path),
    'colour.webp': lambda path: _save(scene(), path, lossless=True),
    'colour.bmp': lambda path: _save(scene(), path),
    'colour.tiff': lambda path: _save(scene(), path),
    'grey.jpg': lambda path: _save(scene()[..., 1], path),
    'grey.png': lambda path: _save(scene()[..., 1], path),
    'two_tone.png': lambda path: Image.fromarray(scene()[..., 1]).convert('1').save(path),
    'palette.png': _palette,
    'palette_transparent.png': lambda path: _palette(path, transparent=True),
    'deep_grey.png': lambda path: _deep(path, 1),
    'deep_colour.png': lambda path: _deep(path, 3),
    'deep_grey.tiff': lambda path: _deep(path, 1),
    'cmyk.jpg': lambda path: Image.fromarray(scene()).convert('CMYK').save(path),
    'alpha.png': lambda path: Image.fromarray(scene()).convert('RGBA').save(path),
    'rotated.jpg': lambda path: _save(scene(), path, exif=_exif(6)),
    'Zoë mit Häkchen – 犬.jpg': lambda path: _save(scene(), path),
}


def make(folder, name):
    """Write the image of this name."""
    MAKERS[name](folder / name)
    return folder / name


def make_truncated(folder, name):
    """Write a truncated image."""
    _truncate(folder / name)
    return folder / name
