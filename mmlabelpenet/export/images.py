"""Copying images into an export."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
from PIL import Image
from tqdm import tqdm

from mmlabelpenet.utils import UserError, atomic_path, exif_orientation

from .records import ImageReader, LabelledImage, file_names

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
    with atomic_path(target) as temporary:
        if not is_plain_jpeg(source):
            coded = cv2.imencode('.jpg', read(source), [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])[1]
            temporary.write_bytes(coded.tobytes())
        elif link:
            temporary.symlink_to(Path(source).absolute())
        else:
            temporary.write_bytes(Path(source).read_bytes())


def place_images(
    images: Sequence[LabelledImage], folder: Path, read: ImageReader, link: bool
) -> Iterator[tuple[str, LabelledImage]]:
    """Put all images into the folder of an export, with a progress bar.

    Args:
        images: The images.
        folder: Where they go.
        read: Reads an image as the model does.
        link: Whether to link plain JPEGs instead of copying them.

    Yields:
        The name of each image without suffix, and its record, before the image is placed: an
        image whose labels could not be written is not in the export.

    Raises:
        UserError: If an image already lies in the folder, so that the export would overwrite its
            own data set, or if two images would get the same name.
    """
    for image in images:
        if Path(image.img_path).resolve().parent == folder.resolve():
            raise UserError(
                f'{image.img_path} lies in {folder.resolve()}, so that the export would overwrite '
                'its own data set: choose another folder for --out.'
            )
    progress = tqdm(images, desc='export', unit='photo')
    for name, image in zip(file_names(images), progress):
        yield name, image
        place_image(image.img_path, folder / f'{name}.jpg', read, link)
