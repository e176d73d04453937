"""Proposals on disk: one small file per image."""

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from mmlabelpenet.utils import UserError, atomic_path

_INT16_MAX = np.iinfo(np.int16).max


@dataclass
class Proposals:
    """The region proposals of one image.

    Attributes:
        bboxes: [N, 4] integer xyxy in the image's pixels, x2 and y2 exclusive.
        width: Width of the image that they were made for, in pixels.
        height: Its height.
        generator: Name of what made them, e.g. ``'selective_search_fast'``.
        version: The generator's version and settings; files of another one are made anew.
        photo_crc: CRC-32 of the image's file, 0 where unknown; tells an image that was
            replaced by another of the same name and size.
        segments: Where the generator gives them, N byte strings: each the ``counts`` of COCO's
            compressed RLE of size (height, width).
    """

    bboxes: np.ndarray
    width: int
    height: int
    generator: str
    version: str
    photo_crc: int = 0
    segments: list[bytes] | None = None

    def __len__(self) -> int:
        return len(self.bboxes)

    def first(self, max_num: int | None) -> 'Proposals':
        """The first ``max_num`` proposals with their segments; all where None."""
        segments = None if self.segments is None else self.segments[:max_num]
        return replace(self, bboxes=self.bboxes[:max_num], segments=segments)

    def segment_rles(self) -> list[dict] | None:
        """The segments as pycocotools takes them: dicts of ``size`` and ``counts``."""
        if self.segments is None:
            return None
        return [{'size': [self.height, self.width], 'counts': seg} for seg in self.segments]


def proposal_path(proposal_root: str | Path, dataset_name: str, img_id: str) -> Path:
    """Where the proposals of an image lie; the data set's name keeps VOC07 and VOC12 apart."""
    return Path(proposal_root) / dataset_name / f'{img_id}.npz'


def image_proposal_path(proposal_root: str | Path, info: Mapping) -> Path:
    """Where the proposals of a data set's image lie.

    Args:
        proposal_root: Folder with one folder per data set.
        info: Of the image: its ``dataset_name``, and its ``image_id`` or else ``img_id``.
    """
    image = info['photo_id'] if 'photo_id' in info else info['img_id']
    return proposal_path(proposal_root, info['dataset_name'], image)


def write_proposals(path: str | Path, proposals: Proposals) -> None:
    """Write the proposals of one image atomically: 8 bytes a box before compression.

    Args:
        path: The ``.npz`` file.
        proposals: What to write.

    Raises:
        UserError: If the image is larger than int16 coordinates reach.
    """
    if max(proposals.width, proposals.height) > _INT16_MAX:
        raise UserError(
            f'{path}: the photo measures {proposals.width} x {proposals.height} pixels, more '
            f'than the {_INT16_MAX} that proposals are stored with; make it smaller first.'
        )
    fields: dict[str, Any] = {
        'bboxes': np.asarray(proposals.bboxes).reshape(-1, 4).astype(np.int16),
        'width': np.int32(proposals.width),
        'height': np.int32(proposals.height),
        'generator': np.str_(proposals.generator),
        'version': np.str_(proposals.version),
        'photo_crc': np.uint32(proposals.photo_crc),
    }
    if proposals.segments is not None:
        fields['segment_bytes'] = np.frombuffer(b''.join(proposals.segments), dtype=np.uint8)
        fields['segment_lengths'] = np.array([len(s) for s in proposals.segments], np.int32)
    with atomic_path(path) as temporary:
        np.savez_compressed(temporary, **fields)


def _unpack_segments(data: np.lib.npyio.NpzFile) -> list[bytes] | None:
    if 'segment_bytes' not in data:
        return None
    packed, ends = data['segment_bytes'].tobytes(), np.cumsum(data['segment_lengths'])
    return [packed[end - n : end] for end, n in zip(ends, data['segment_lengths'])]


def read_proposals(
    path: str | Path,
    image_size: tuple[int, int] | None = None,
    max_num: int | None = None,
    photo_crc: int = 0,
) -> Proposals:
    """Read the proposals of one image.

    Args:
        path: The ``.npz`` file.
        image_size: (height, width) of the image that they shall belong to; unchecked if None.
        max_num: Read only the first so many; all where None.
        photo_crc: CRC-32 of that image's file; unchecked if 0, or if the proposals don't say.

    Returns:
        The proposals, boxes as int16.

    Raises:
        UserError: If the file is missing or broken, or was made for another image.
    """
    proposals = _read(path)
    _require_image(path, proposals, image_size, photo_crc)
    return proposals.first(max_num)


def _read(path: str | Path) -> Proposals:
    try:
        with np.load(path) as data:
            return Proposals(
                bboxes=data['bboxes'],
                width=int(data['width']),
                height=int(data['height']),
                generator=str(data['generator']),
                version=str(data['version']),
                photo_crc=int(data['photo_crc']),
                segments=_unpack_segments(data),
            )
    except FileNotFoundError:
        raise UserError(
            f'There are no proposals at {path}: make them with '
            '`python tools/proposals/make_proposals.py CONFIG`.'
        ) from None
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise UserError(
            f'{path} is not a readable proposal file ({error}): delete it and run '
            'tools/proposals/make_proposals.py again.'
        ) from None


def _require_image(
    path: str | Path, proposals: Proposals, size: tuple[int, int] | None, crc: int
) -> None:
    remedy = 'delete the file and run tools/proposals/make_proposals.py again'
    if size is not None and size != (proposals.height, proposals.width):
        raise UserError(
            f'{path} was made for a photo of {proposals.width} x {proposals.height} pixels, '
            f'but the photo has {size[1]} x {size[0]}: {remedy}.'
        )
    if crc and proposals.photo_crc and crc != proposals.photo_crc:
        raise UserError(
            f'{path} was made for another photo of the same name and size, perhaps of another '
            f'data set: {remedy}.'
        )
