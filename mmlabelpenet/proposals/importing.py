"""Bringing the proposals of other projects to images of a data set."""

import os.path as osp
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from mmlabelpenet.utils import UserError

from .foreign import ForeignBoxes, ForeignProposals
from .store import Proposals

# Boxes may reach over by a part of a pixel; beyond that they were made for other images.
SLACK = 1.5


@dataclass
class Match:
    """What of a foreign set belongs to a data set.

    Attributes:
        boxes: By the image's place in the data set.
        missing: Names of images of the data set that the set lacks.
    """

    boxes: dict[int, ForeignBoxes] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)


def names_of(info: Mapping) -> Iterable[str]:
    """What a file may call an image, the most telling names first.

    Args:
        info: Of the data set.
    """
    path, img_id = info['img_path'], str(info['img_id'])
    folder, file = osp.split(path)
    yield from (path, osp.join(osp.basename(folder), file), file, osp.splitext(file)[0], img_id)
    digits = img_id.replace('_', '')
    if digits.isdigit():
        # JSON files of VOC call 2008_000008 the number 2008000008, and 000005 the number 5.
        yield from (digits, str(int(digits)))


def match_images(foreign: ForeignProposals, infos: Sequence[Mapping]) -> Match:
    """Find the proposals of each image of a data set; others may be in the set as well.

    Args:
        foreign: The set.
        infos: Images of the data set.

    Returns:
        What belongs together.

    Raises:
        UserError: If nothing does, or a set without names has another number of images.
    """
    match = Match()
    if foreign.by_order is not None:
        if len(foreign.by_order) != len(infos):
            raise UserError(
                f'The proposals have no names and are of {len(foreign.by_order)} photos, but the '
                f'data set has {len(infos)}: choose the --split that they were made for.'
            )
        match.boxes = dict(enumerate(foreign.by_order))
        return match
    for index, info in enumerate(infos):
        name = next((name for name in names_of(info) if name in foreign.by_name), None)
        if name is None:
            match.missing.append(str(info['img_id']))
        else:
            match.boxes[index] = foreign.by_name[name]
    if not match.boxes:
        known = next(iter(foreign.by_name), 'nothing')
        wanted = next(iter(match.missing), 'nothing')
        raise UserError(
            f'None of the photos (such as {wanted}) has proposals (such as those of {known}): '
            'they are of another data set or --split.'
        )
    return match


def exceeds(boxes: ForeignBoxes, size: tuple[int, int]) -> bool:
    """Whether a box reaches so far out of an image that it must be meant for another one.

    Args:
        boxes: Of the image.
        size: Its (height, width).
    """
    low = boxes.bboxes[:, :2] < -SLACK
    high = boxes.bboxes[:, 2:] > np.array([size[1], size[0]]) + SLACK
    return bool(low.any() or high.any())


def to_proposals(
    boxes: ForeignBoxes, size: tuple[int, int], format_name: str, max_num: int | None = None
) -> Proposals:
    """Turn foreign boxes into proposals as they are stored here.

    They are rounded, cut to the image and put in order of their scores, if these differ; empty
    ones and repeats go.

    Args:
        boxes: Of the image.
        size: Its (height, width).
        format_name: Where they came from.
        max_num: Keep at most so many; all where None.
    """
    bboxes = boxes.bboxes
    if boxes.scores is not None:
        bboxes = bboxes[np.argsort(-boxes.scores, kind='stable')]
    height, width = size
    rounded = np.rint(bboxes).astype(np.int64).clip(0, [width, height, width, height])
    rounded = rounded[(rounded[:, 2:] > rounded[:, :2]).all(axis=1)]
    _, first = np.unique(rounded, axis=0, return_index=True)
    kept = rounded[np.sort(first)][:max_num]
    return Proposals(kept, width, height, f'imported_{format_name}', f'1;max_num={max_num}')
