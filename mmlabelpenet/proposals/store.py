"""Storage of proposals: one small file per image."""

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mmlabelpenet.utils import UserError, atomic_path, box_excess, box_text, explain_read_errors

_INT16_MAX = np.iinfo(np.int16).max
_MAKER = 'tools/proposals/make_proposals.py'
_REMEDY = f'delete the file and run {_MAKER} again'
# Tolerance in pixels: boxes may exceed the image by a fraction of a pixel, but not by more.
TOLERANCE = 1.5


@dataclass
class Proposals:
    """The region proposals of one image.

    Attributes:
        bboxes: [N, 4] integer xyxy in the image's pixels, x2 and y2 exclusive.
        width: Width of the image that they were made for, in pixels.
        height: Its height.
        generator: Name of the generator, e.g. ``'selective_search_fast'``.
        version: The generator's version and settings; files of another version are replaced.
        photo_crc: CRC-32 of the image's file, 0 if unknown; it detects an image that was
            replaced by another one of the same name and size.
        segments: From generators of segments, N byte strings: the ``counts`` of COCO's compressed
            RLE of size (height, width).
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

    def segment_rles(self) -> list[dict] | None:
        """Get the segments as COCO RLE: dicts of ``size`` and ``counts``."""
        if self.segments is None:
            return None
        return [{'size': [self.height, self.width], 'counts': seg} for seg in self.segments]


def proposal_path(proposal_root: str | Path, dataset_name: str, img_id: str) -> Path:
    """Make the path of an image's proposals; the data set's name separates VOC07 and VOC12."""
    return Path(proposal_root) / dataset_name / f'{img_id}.npz'


def image_proposal_path(proposal_root: str | Path, info: Mapping) -> Path:
    """Make the path of the proposals of a data set's image.

    Args:
        proposal_root: Folder with one folder per data set.
        info: Entry of the image: ``dataset_name``, and ``photo_id`` or else ``img_id``.

    Raises:
        UserError: If they are missing, since the image comes from no data set.
    """
    name = info.get('photo_id', info.get('img_id'))
    if name is None or 'dataset_name' not in info:
        raise UserError(
            f'{info.get("img_path", "An image")} comes from no data set, so that its proposals '
            'cannot be found: use mmlabelpenet.apis.LabelPEnetInferencer for single photos.'
        )
    return proposal_path(proposal_root, info['dataset_name'], name)


def write_proposals(path: str | Path, proposals: Proposals) -> None:
    """Write the proposals of one image atomically, with 8 bytes per box before compression.

    Args:
        path: The ``.npz`` file.
        proposals: The proposals.

    Raises:
        UserError: If the image is too large for int16 coordinates.
    """
    if max(proposals.width, proposals.height) > _INT16_MAX:
        raise UserError(
            f'{path}: the photo has {proposals.width} x {proposals.height} pixels, but proposals '
            f'are limited to {_INT16_MAX} per side: make it smaller first.'
        )
    # what int16 cannot hold must not become another box
    bboxes = np.nan_to_num(np.asarray(proposals.bboxes).reshape(-1, 4), nan=-_INT16_MAX)
    fields: dict[str, Any] = {
        'bboxes': np.clip(bboxes, -_INT16_MAX, _INT16_MAX).astype(np.int16),
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


def _unpack_segments(data: np.lib.npyio.NpzFile, max_num: int | None) -> list[bytes] | None:
    if 'segment_bytes' not in data:
        return None
    packed, ends = data['segment_bytes'].tobytes(), np.cumsum(data['segment_lengths'])
    if ends[-1:].sum() != len(packed):
        raise ValueError(f'segments of {ends[-1:].sum()} bytes in {len(packed)}')
    lengths = data['segment_lengths'][:max_num]
    return [packed[end - length : end] for end, length in zip(ends, lengths)]


def _open(path: str | Path) -> np.lib.npyio.NpzFile:
    if Path(path).is_file() and not zipfile.is_zipfile(path):
        raise ValueError('it is no .npz file')
    return np.load(path)


def require_boxes(boxes: np.ndarray, size: tuple[int, int], source: object, remedy: str) -> None:
    """Make sure that proposals are boxes within their image, in pixels.

    Args:
        boxes: [N, 4] xyxy, x2 and y2 exclusive.
        size: (height, width) of the image.
        source: Their file, for messages.
        remedy: What the user can do about it.

    Raises:
        UserError: If a box is empty, reaches beyond the image, or all are fractions of it.
    """
    # what is not finite is not sound either
    sound = (boxes[:, 2:] > boxes[:, :2]).all(axis=1) & (box_excess(boxes, size) <= TOLERANCE)
    # in pixels they would be the first one, or a part of it
    fractions = boxes.size and boxes.max() <= 1 and min(size) > 2
    if fractions or not sound.all():
        wrong = boxes if fractions else boxes[~sound]
        raise UserError(
            f'{source}: {len(wrong)} of {len(boxes)} boxes, such as {box_text(wrong[0])}, are no '
            f'x1, y1, x2, y2 in pixels of the photo of {size[1]} x {size[0]}: {remedy}.'
        )


def _require_sound(proposals: Proposals) -> None:
    boxes = proposals.bboxes
    if boxes.ndim != 2 or boxes.shape[1] != 4 or boxes.dtype.kind not in 'iuf':
        raise ValueError(f'boxes of shape {list(boxes.shape)} and type {boxes.dtype}')
    if not np.isfinite(boxes).all() or min(proposals.width, proposals.height) < 1:
        raise ValueError('boxes or sizes that are no numbers of pixels')
    if proposals.segments is not None and len(proposals.segments) != len(boxes):
        raise ValueError(f'{len(proposals.segments)} segments of {len(boxes)} boxes')


def read_proposals(
    path: str | Path,
    image_size: tuple[int, int] | None = None,
    max_num: int | None = None,
    photo_crc: int = 0,
    inspect: bool = False,
) -> Proposals:
    """Read the proposals of one image.

    Args:
        path: The ``.npz`` file.
        image_size: (height, width) of the image that they must match; unchecked if None.
        max_num: Maximum number to read, the first ones; None for all.
        photo_crc: CRC-32 of that image's file; unchecked if 0 here or in the proposals.
        inspect: Whether to read boxes that cannot be used, see :func:`require_boxes`.

    Returns:
        The proposals, boxes as int16.

    Raises:
        UserError: If the file is missing or damaged, has boxes that are none in pixels of its
            image, or was made for another image.
    """
    if not Path(path).exists():
        raise UserError(
            f'There are no proposals at {path}: make them with `python {_MAKER} CONFIG`.'
        )
    with explain_read_errors(path, 'a proposal file', _REMEDY), _open(path) as data:
        proposals = Proposals(
            bboxes=data['bboxes'][:max_num],
            width=int(data['width']),
            height=int(data['height']),
            generator=str(data['generator']),
            version=str(data['version']),
            photo_crc=int(data['photo_crc']),
            segments=_unpack_segments(data, max_num),
        )
        _require_sound(proposals)
    if not inspect:
        size = proposals.height, proposals.width
        require_boxes(proposals.bboxes, size, path, _REMEDY)
    if image_size is not None and image_size != (proposals.height, proposals.width):
        raise UserError(
            f'{path} was made for a photo of {proposals.width} x {proposals.height} pixels, '
            f'but the photo has {image_size[1]} x {image_size[0]}: {_REMEDY}.'
        )
    if photo_crc and proposals.photo_crc not in (0, photo_crc):
        raise UserError(
            f'{path} was made for another photo of the same name and size, perhaps of another '
            f'data set: set another dataset_name for one of the two, or {_REMEDY}.'
        )
    return proposals
