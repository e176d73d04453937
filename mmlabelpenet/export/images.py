"""Copying images into an export."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
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
# Formats that every reader of exports knows, and their suffixes.
PLAIN = {'JPEG': ('.jpg', '.jpeg'), 'PNG': ('.png',)}


def plain_suffixes(path: str | Path) -> tuple[str, ...]:
    """Suffixes of a file of which every reader decodes the same pixels, the usual one first.

    Args:
        path: Of an image.

    Returns:
        Those of its format for an upright JPEG or PNG of 8 bits without transparency, else none.
    """
    with suppress(OSError), Image.open(path) as image:
        upright = exif_orientation(image) == 1
        if image.mode in ('L', 'RGB') and upright and 'transparency' not in image.info:
            return PLAIN.get(str(image.format), ())
    return ()


def exported_names(images: Sequence[LabelledImage], names: Sequence[str]) -> list[str]:
    """Add suffixes to names: plain images keep theirs, others become ``.jpg``."""
    own = [Path(image.img_path).suffix for image in images]
    plain = (plain_suffixes(image.img_path) for image in images)
    kept = [one if one.lower() in known else '.jpg' for one, known in zip(own, plain)]
    return [f'{name}{suffix}' for name, suffix in zip(names, kept)]


def place_image(source: str, target: Path, read: ImageReader, link: bool = False) -> None:
    """Put an image into an export; plain images are copied byte by byte.

    Others (CMYK, 16 bits, rotated by EXIF, ...), and those of another format than the target, are
    written as JPEGs of what the model reads.

    Args:
        source: The image.
        target: Where it goes.
        read: Reads an image as the model does.
        link: Whether to link plain images instead of copying them.
    """
    plain = target.suffix.lower() in plain_suffixes(source)
    if plain and link:
        with atomic_path(target) as temporary:
            _link(Path(source).resolve(), temporary)
    elif plain:
        write_bytes(target, read_image_bytes(source))
    else:
        coded = cv2.imencode('.jpg', read(source), [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])[1]
        write_bytes(target, coded.tobytes())


def _link(source: Path, target: Path) -> None:
    """Make a hard link: some readers refuse symbolic ones, which lead out of the export."""
    try:
        target.hardlink_to(source)
    except OSError:  # of another file system
        target.symlink_to(source)


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
        names: Of their files in the folder.
        folder: Where they go.
        read: Reads an image as the model does.
        link: Whether to link plain images instead of copying them.

    Yields:
        The name of each image, and its record, before the image is placed: an image whose labels
        could not be written is not in the export.
    """
    progress = tqdm(images, desc='export', unit='photo')
    for name, image in zip(names, progress):
        yield name, image
        place_image(image.img_path, folder / name, read, link)


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
