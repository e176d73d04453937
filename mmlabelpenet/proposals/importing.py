"""Matching the proposals of other projects to the images of a data set."""

import os.path as osp
from collections.abc import Iterable, Mapping, Sequence
from itertools import takewhile, zip_longest

import numpy as np

from mmlabelpenet.utils import UserError, box_excess, box_text

from .foreign import ForeignProposals
from .store import TOLERANCE, Proposals

# Folders above that of all images which names may begin with.
FOLDERS = 4


def names_of(info: Mapping, root: str = '') -> Iterable[str]:
    """List the names that a file may give an image, the most specific ones first.

    Args:
        info: The image's entry in the data set.
        root: The folder that all images have in common.
    """
    path, img_id = info['img_path'], str(info['img_id'])
    folder, file = osp.split(path)
    inner = osp.relpath(path, root) if root else file
    yield path
    above = root.split('/')
    for number in range(FOLDERS, -1, -1):
        name = '/'.join([*above[max(len(above) - number, 0) :], inner])
        yield from (name, osp.splitext(name)[0])
    yield from (osp.join(osp.basename(folder), file), file, osp.splitext(file)[0], img_id)
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
        UserError: If there are none, proposals without names are of another number of images, or
            it is not clear which are those of an image.
    """
    if isinstance(foreign, list):
        if len(foreign) != len(infos):
            raise UserError(
                f'The proposals have no names and are of {len(foreign)} photos, but the data set '
                f'has {len(infos)}: choose the --split that they were made for.'
            )
        return dict(enumerate(foreign)), []
    names = _names_in(foreign, infos)
    if not any(names):
        foreign = _of_another_machine(foreign)
        names = _names_in(foreign, infos)
    boxes = {index: foreign[name] for index, name in enumerate(names) if name is not None}
    missing = [str(info['img_id']) for info, name in zip(infos, names) if name is None]
    if not boxes:
        known = next(iter(foreign), 'nothing')
        wanted = infos[0]['img_path'] if infos else 'nothing'
        raise UserError(
            f'None of the photos (such as {wanted}) has proposals (such as those of {known}): '
            'they are of another data set or --split, or the names differ, also in case or suffix.'
        )
    return boxes, missing


def _of_another_machine(foreign: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Write names with plain slashes and without the folder that all have in common."""
    plain = {name.replace('\\', '/'): name for name in foreign}
    parts = [name.split('/')[:-1] for name in plain]
    common = len([*takewhile(lambda one: len(set(one)) == 1, zip(*parts))])
    found = {'/'.join(name.split('/')[common:]): foreign[plain[name]] for name in plain}
    return found if len(found) == len(foreign) else {**foreign}


def _names_in(foreign: Mapping, infos: Sequence[Mapping]) -> list[str | None]:
    """Find the name of each image in a file; of two, the kind of name that most images have."""
    folders = [osp.dirname(info['img_path']) for info in infos]
    root = osp.commonpath(folders) if len({*map(osp.isabs, folders)}) == 1 else ''
    kinds = [*zip_longest(*(names_of(info, root) for info in infos))]
    counts = [sum(name in foreign for name in kind) for kind in kinds]
    names: list[str | None] = []
    owners: dict[str | None, str] = {}
    for info, given in zip(infos, zip(*kinds)):
        hits = {name: count for count, name in zip(counts, given) if name in foreign}
        best = [name for name in hits if hits[name] == max(hits.values())]
        names.append(best[0] if best else None)
        path = info['img_path']
        owner = owners.setdefault(names[-1], path) if best else path
        if len(best) > 1 or owner != path:
            raise UserError(
                f'It is not clear whether the proposals of {" or ".join(best)} are those of '
                f'{" or ".join(dict.fromkeys([owner, path]))}: name the photos by their '
                'paths.'
            )
    return names


def exceeds(boxes: np.ndarray, size: tuple[float, float]) -> bool:
    """Whether a box exceeds an image so far that it must be of another image.

    Args:
        boxes: [N, 4] xyxy.
        size: (height, width) of the image.
    """
    return bool((box_excess(boxes, size) > TOLERANCE).any())


def require_fit(
    found: Mapping[int, np.ndarray],
    infos: Sequence[Mapping],
    sizes: Mapping[int, tuple[int, int]],
    source: object,
) -> list[str]:
    """Make sure that boxes lie in their images: VOC 2007 and 2012 have images of the same names.

    Args:
        found: Boxes [N, 4] xyxy of each image, by its index in the data set.
        infos: The images of the data set.
        sizes: (height, width) of the same images.
        source: The file of the boxes, for messages.

    Returns:
        Sentences on what is suspicious, if anything.

    Raises:
        UserError: If there are no boxes, those of more than a tenth of the images exceed them, or
            are fractions of them.
    """
    paths = {index: infos[index]['img_path'] for index in found}
    filled = [index for index, boxes in found.items() if len(boxes)]
    wrong = [index for index in filled if exceeds(found[index], sizes[index])]
    small = [i for i in filled if found[i].max() <= 2 and min(sizes[i]) > 4]
    if len(wrong) > len(found) / 10:
        first, size = wrong[0], sizes[wrong[0]]
        raise UserError(
            f'Boxes of {len(wrong)} of {len(found)} photos exceed them (such as '
            f'{box_text(found[first][box_excess(found[first], size).argmax()])} of {paths[first]} '
            f'with {size[1]} x {size[0]} pixels): those in {source} are of another data set or '
            '--format, or no x1, y1, x2, y2 in pixels.'
        )
    fractions = any((found[index] % 1).any() for index in small)
    if fractions and len(small) > len(filled) / 10:
        raise UserError(
            f'{source}: all boxes of {len(small)} of {len(filled)} photos lie in the first two '
            f'pixels, as those of {paths[small[0]]}: write pixels instead of fractions of the '
            'photo.'
        )
    empty = [index for index, boxes in found.items() if not _covers(boxes)]
    doubts = {
        'have boxes that exceed them, which were cut off': wrong,
        f'have no boxes in {source}': empty,
        'have boxes in the first two pixels alone': small,
    }
    if len(empty) == len(found):
        raise UserError(f'{source} holds no box of the {len(found)} photos: write it again.')
    sentences = [
        f'{len(one)} photos {name}, such as {paths[one[0]]}' for name, one in doubts.items() if one
    ]
    return [*sentences, *_doubts_of_all([found[i] for i in filled], [sizes[i] for i in filled])]


def _covers(boxes: np.ndarray) -> bool:
    """Whether a box is left when all are rounded to pixels."""
    rounded = np.rint(boxes)
    return bool((rounded[:, 2:] > rounded[:, :2]).all(axis=1).any())


def _doubts_of_all(boxes: Sequence[np.ndarray], sizes: Sequence[tuple[int, int]]) -> list[str]:
    """Doubts whether boxes are corners in pixels of the images, from those of all images."""
    ends = (np.hstack([one[:, :2], one[:, :2] + one[:, 2:]]) for one in boxes)
    halves = [(size[0] / 2 - TOLERANCE, size[1] / 2 - TOLERANCE) for size in sizes]
    doubts = {
        'As x, y, width, height all boxes would lie in their photos as well: make sure that they '
        'are x1, y1, x2, y2': any(one[:, :2].max() > 0 for one in boxes)
        and not any(map(exceeds, ends, sizes)),
        'No box reaches beyond the middle of its photo: make sure that they are in pixels of '
        'these photos': not any(map(exceeds, boxes, halves)),
    }
    return [sentence for sentence, doubtful in doubts.items() if doubtful]


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
