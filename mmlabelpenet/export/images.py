"""Copying images into an export."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
from PIL import Image
from tqdm import tqdm

from mmlabelpenet.utils import (
    UserError,
    atomic_path,
    exif_orientation,
    read_image_bytes,
    write_bytes,
)

from .records import ImageReader, LabelledImage

_QUALITY = 95


def is_plain_jpeg(path: str | Path) -> bool:
    """Whether every reader decodes the same pixels from a file: an upright 8-bit JPEG."""
    try:
        with Image.open(path) as image:
            upright = exif_orientation(image) == 1
            return image.format == 'JPEG' and image.mode in ('L', 'RGB') and upright
    except OSError:
        return False


def place_image(source: str, target: Path, read: ImageReader, link: bool = False) -> None:
    """Put an image into an export as a JPEG; plain JPEGs are copied byte by byte.

    Others (PNG, CMYK, rotated by EXIF, ...) are written as the model reads them.

    Args:
        source: The image.
        target: Where it goes, with the suffix ``.jpg``.
        read: Reads an image as the model does.
        link: Whether to link plain JPEGs instead of copying them.
    """
    plain = is_plain_jpeg(source)
    if plain and link:
        with atomic_path(target) as temporary:
            temporary.symlink_to(Path(source).absolute())
    elif plain:
        write_bytes(target, read_image_bytes(source))
    else:
        coded = cv2.imencode('.jpg', read(source), [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])[1]
        write_bytes(target, coded.tobytes())


def place_images(
    images: Sequence[LabelledImage],
    names: Sequence[str],
    folder: Path,
    read: ImageReader,
    link: bool,
) -> Iterator[tuple[str, LabelledImage]]:
    """Put all images into the folder of an export, with a progress bar.

    Args:
        images: The images.
        names: Their names without suffix, see :func:`file_names`.
        folder: Where they go.
        read: Reads an image as the model does.
        link: Whether to link plain JPEGs instead of copying them.

    Yields:
        The name of each image, and its record, before the image is placed: an image whose labels
        could not be written is not in the export.
    """
    progress = tqdm(images, desc='export', unit='photo')
    for name, image in zip(names, progress):
        yield name, image
        place_image(image.img_path, folder / f'{name}.jpg', read, link)


def require_other_folder(images: Sequence[LabelledImage], folder: Path) -> None:
    """Make sure that no image lies in the folder that images are exported to.

    Args:
        images: The images.
        folder: Where they go.

    Raises:
        UserError: If one does, so that the export would overwrite its own data set.
    """
    folder = folder.resolve()
    for image in images:
        if Path(image.img_path).resolve().is_relative_to(folder):
            raise UserError(
                f'{image.img_path} lies in {folder}, so that the export would overwrite its own '
                'data set: choose another folder for --out.'
            )
