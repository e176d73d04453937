"""Photos in folders."""

import logging
from pathlib import Path

from mmengine.logging import print_log

from .errors import UserError

# Photos that are taken from a folder, and others, which must be named or converted.
IMAGE_SUFFIXES = ('.jpg', '.jpeg', '.jpe', '.jfif', '.png', '.bmp', '.webp', '.tif', '.tiff')
OTHER_SUFFIXES = (
    *('.gif', '.avif', '.heic', '.heif', '.hif', '.jp2', '.j2k', '.jxl', '.tga', '.psd', '.exr'),
    *('.hdr', '.dng', '.nef', '.cr2', '.cr3', '.arw', '.raf', '.orf', '.rw2'),
)


def list_photos(folder: str | Path, recursive: bool = False) -> list[Path]:
    """List the photos of a folder by name; others are warned of.

    Args:
        folder: The folder.
        recursive: Whether to list those of subfolders too.

    Raises:
        UserError: If it holds none.
    """
    # Files that begin with ._ are what macOS adds to photos on other disks.
    found = Path(folder).rglob('*') if recursive else Path(folder).iterdir()
    entries = sorted(one for one in found if one.name[:2] != '._')
    files = [one for one in entries if not one.is_dir()]
    photos = [one for one in files if one.suffix.lower() in IMAGE_SUFFIXES]
    others = [one for one in files if one.suffix.lower() in OTHER_SUFFIXES]
    if not photos:
        remedy = f', only {others[0].name}: convert it to JPEG, or name' if others else ': name'
        raise UserError(
            f'{folder} contains no photos ({", ".join(IMAGE_SUFFIXES)}; sub-folders are '
            f'{"searched too" if recursive else "not searched"}){remedy} another folder.'
        )
    if others:
        text = f'{folder} has photos of other kinds, which are left out ({len(others)} in all, '
        text += f'such as {others[0].name}): convert them to JPEG.'
        print_log(text, logger='current', level=logging.WARNING)
    return photos
