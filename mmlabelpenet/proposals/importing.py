"""Matching the proposals of other projects to the images of a data set."""

import os.path as osp
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from mmlabelpenet.utils import UserError

from .foreign import ForeignProposals
from .store import Proposals

# Tolerance in pixels: boxes may exceed the image by a fraction of a pixel, but not by more.
TOLERANCE = 1.5


def names_of(info: Mapping) -> Iterable[str]:
    """List the names that a file may give an image, the most specific ones first.

    Args:
        info: The image's entry in the data set.
    """
    path, img_id = info['img_path'], str(info['img_id'])
    folder, file = osp.split(path)
    yield from (path, osp.join(osp.basename(folder), file), file, osp.splitext(file)[0], img_id)
    digits = img_id.replace('_', '')
    if digits.isdigit():
        # VOC in COCO's format has the id 2008000008 for 2008_000008, and 5 for 000005.
        yield from (digits, str(int(digits)))


def match_images(
    foreign: ForeignProposals, infos: Sequence[Mapping]
) -> tuple[dict[int, np.ndarray], list[str]]:
    """Find the proposals of each image of a data set; others are ignored.

    Args:
        foreign: The proposals.
        infos: The images of the data set.

    Returns:
        Boxes [N, 4] of each image by its index in the data set; names of images without.

    Raises:
        UserError: If there are none, or proposals without names are of another number of images.
    """
    if isinstance(foreign, list):
        if len(foreign) != len(infos):
            raise UserError(
                f'The proposals have no names and are of {len(foreign)} photos, but the data set '
                f'has {len(infos)}: choose the --split that they were made for.'
            )
        return dict(enumerate(foreign)), []
    names = [next((name for name in names_of(info) if name in foreign), None) for info in infos]
    boxes = {index: foreign[name] for index, name in enumerate(names) if name is not None}
    missing = [str(info['img_id']) for info, name in zip(infos, names) if name is None]
    if not boxes:
        known, wanted = next(iter(foreign), 'nothing'), next(iter(missing), 'nothing')
        raise UserError(
            f'None of the photos (such as {wanted}) has proposals (such as those of {known}): '
            'they are of another data set or --split.'
        )
    return boxes, missing


def exceeds(boxes: np.ndarray, size: tuple[int, int]) -> bool:
    """Whether a box exceeds an image so far that it must be of another image.

    Args:
        boxes: [N, 4] xyxy.
        size: (height, width) of the image.
    """
    excess = np.maximum(-boxes[:, :2], boxes[:, 2:] - np.array([size[1], size[0]]))
    return bool((excess > TOLERANCE).any())


def to_proposals(
    boxes: np.ndarray, size: tuple[int, int], format_name: str, max_num: int | None = None
) -> Proposals:
    """Convert foreign boxes to proposals as this package stores them.

    They are rounded and clipped to the image; empty ones and duplicates are removed.

    Args:
        boxes: [N, 4] xyxy by falling score, x2 and y2 exclusive.
        size: (height, width) of the image.
        format_name: The format that they come from.
        max_num: Maximum number to keep; None for all.
    """
    height, width = size
    rounded = np.rint(boxes).astype(np.int64).clip(0, [width, height, width, height])
    rounded = rounded[(rounded[:, 2:] > rounded[:, :2]).all(axis=1)]
    _, first = np.unique(rounded, axis=0, return_index=True)
    kept = rounded[np.sort(first)][:max_num]
    return Proposals(kept, width, height, f'imported_{format_name}', f'1;max_num={max_num}')
