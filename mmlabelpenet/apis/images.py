"""Images in any form: files, folders, arrays, PIL images, addresses."""

from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias
from urllib.parse import urlsplit
from urllib.request import url2pathname

import numpy as np
from PIL import Image

from mmlabelpenet.utils import UserError, list_photos, pil_to_bgr, require_aspect

ImageInput: TypeAlias = str | Path | np.ndarray | Image.Image


def list_images(inputs: ImageInput | Sequence, recursive: bool = False) -> list[str | np.ndarray]:
    """List images one by one.

    Args:
        inputs: A file, a folder (its images by name), a ``file://`` address of either, an array
            (see :func:`as_bgr`), a PIL image, or a list of these.
        recursive: Whether images in subfolders of a folder are listed too.

    Returns:
        Paths of files that exist, and arrays [H, W, 3] uint8 BGR.

    Raises:
        UserError: If there is no such file, a folder has no images, an address is not on this
            machine, or an array is no image.
    """
    if isinstance(inputs, np.ndarray):
        return [as_bgr(inputs)]
    if isinstance(inputs, str | Path):
        return list(_list_path(inputs, recursive))
    if isinstance(inputs, Image.Image):
        return [as_bgr(pil_to_bgr(inputs))]
    return [image for one in inputs for image in list_images(one, recursive)]


def as_bgr(img: np.ndarray) -> np.ndarray:
    """Check an array and give it three channels if it is grey, [H, W] or [H, W, 1].

    Args:
        img: [H, W, 3] uint8, BGR as OpenCV and mmdet have it, or grey.

    Raises:
        UserError: If it is anything else.
    """
    if img.ndim == 2:
        img = img[..., None]
    if img.dtype != np.uint8 or img.ndim != 3 or img.shape[2] not in (1, 3) or img.size == 0:
        raise UserError(
            f'An array of shape {list(img.shape)} and type {img.dtype} is no photo: give '
            '[height, width, 3] of uint8, in the order blue, green, red.'
        )
    require_aspect(img.shape[0], img.shape[1], 'given as an array')
    return np.ascontiguousarray(np.broadcast_to(img, (*img.shape[:2], 3)))


def _list_path(name: str | Path, recursive: bool) -> Sequence[str]:
    path = _local_path(str(name))
    if path.is_file():
        return [str(path)]
    if not path.is_dir():
        raise UserError(f'There is no photo and no folder at {path}: fix the path.')
    return [str(one) for one in list_photos(path, recursive)]


def _local_path(name: str) -> Path:
    if '://' not in name:
        return Path(name)
    address = urlsplit(name)
    if address.scheme != 'file' or address.netloc not in ('', 'localhost'):
        raise UserError(f'{name} is not on this machine: download it, and name the file.')
    return Path(url2pathname(address.path))
