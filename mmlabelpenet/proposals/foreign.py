"""Reading the proposal files of other projects."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mmlabelpenet.utils import UserError

from .safe_pickle import load_arrays

FORMATS = ('selective_search', 'mcg', 'mmdet', 'detectron')


@dataclass
class ForeignBoxes:
    """Proposals of one image as another project has them, in this one's coordinates.

    Attributes:
        bboxes: [N, 4] float xyxy, 0-based, x2 and y2 exclusive.
        scores: [N], where there are some.
    """

    bboxes: np.ndarray
    scores: np.ndarray | None = None


@dataclass
class ForeignProposals:
    """Proposals of many images.

    Attributes:
        by_name: By what the file calls an image.
        by_order: Where the file has no names: in the order of the data set.
    """

    by_name: dict[str, ForeignBoxes]
    by_order: list[ForeignBoxes] | None = None


def read_foreign(path: str | Path, format_name: str) -> ForeignProposals:
    """Read the proposals of another project.

    Args:
        path: A file; for MCG the folder of ``.mat`` files, one per image.
        format_name: One of ``FORMATS``.

    Returns:
        The proposals, in this package's coordinates.

    Raises:
        UserError: If the format is unknown, or the file is none of it.
    """
    readers = {
        'selective_search': read_selective_search,
        'mcg': read_mcg,
        'mmdet': read_mmdet,
        'detectron': read_detectron,
    }
    if format_name not in readers:
        raise UserError(f'Unknown format {format_name!r}: choose one of {", ".join(FORMATS)}.')
    if not Path(path).exists():
        raise UserError(f'There are no proposals at {path}: mend the path.')
    return readers[format_name](Path(path))


def from_matlab(boxes: np.ndarray) -> np.ndarray:
    """Turn Matlab's boxes into this package's.

    Args:
        boxes: [N, 4] of (y1, x1, y2, x2) that count pixels from 1 and hold both corners.

    Returns:
        [N, 4] xyxy, 0-based, x2 and y2 exclusive.

    Example:
        >>> from_matlab(np.array([[1, 2, 3, 5]]))  # rows 1 to 3, columns 2 to 5
        array([[1., 0., 5., 3.]])
    """
    boxes = np.asarray(boxes, dtype=np.float64).reshape(-1, 4)[:, [1, 0, 3, 2]]
    # The last pixel counted from 1 is the first one beyond, counted from 0.
    return boxes - np.array([1.0, 1.0, 0.0, 0.0])


def _load_mat(path: Path, needed: Sequence[str]) -> dict:
    # Not at the top: the processes that make proposals import this package and need no scipy.
    from scipy.io import loadmat

    try:
        content = loadmat(path)
    # A damaged file fails in as many ways as the format has parts.
    except Exception as error:
        raise UserError(
            f'{path} cannot be read as a .mat file ({error}): download it again, or save it '
            'with -v7.'
        ) from None
    missing = [name for name in needed if name not in content]
    if missing:
        known = ', '.join(name for name in content if not name.startswith('__'))
        raise UserError(
            f'{path} has no {missing[0]} but {known}: it is of another kind; say --format.'
        )
    return content


def read_selective_search(path: Path) -> ForeignProposals:
    """Read a file of the Fast R-CNN release, such as ``voc_2007_trainval.mat``.

    Args:
        path: With cells ``images`` (names) and ``boxes`` ([N, 4], 1-based (y1, x1, y2, x2)).
    """
    content = _load_mat(path, ('images', 'boxes'))
    names = [str(np.asarray(cell).ravel()[0]) for cell in content['images'].ravel()]
    boxes = content['boxes'].ravel()
    if len(names) != len(boxes):
        raise UserError(
            f'{path} has {len(names)} names and boxes of {len(boxes)} photos: download it again.'
        )
    found = (ForeignBoxes(from_matlab(one)) for one in boxes)
    return ForeignProposals(dict(zip(names, found)))


def read_mcg(path: Path) -> ForeignProposals:
    """Read a folder of MCG's boxes (or its proposals with segments, of which only boxes count).

    Args:
        path: Folder of ``{image}.mat`` with ``boxes`` or ``bboxes`` ([N, 4], 1-based
            (y1, x1, y2, x2)) and ``scores`` or ``bboxes_scores``; or one such file.
    """
    files = sorted(path.glob('*.mat')) if path.is_dir() else [path]
    if not files:
        raise UserError(f'{path} holds no .mat file: name the folder that does.')
    return ForeignProposals({file.stem: _read_mcg_image(file) for file in files})


def _read_mcg_image(path: Path) -> ForeignBoxes:
    content = _load_mat(path, ())
    key = 'boxes' if 'boxes' in content else 'bboxes'
    boxes = content.get(key, np.zeros(0))
    if boxes.dtype == object or boxes.ndim != 2 or boxes.shape[1] != 4:
        raise UserError(f'{path} holds no MCG boxes of one photo: say another --format.')
    scores = content.get('bboxes_scores' if key == 'bboxes' else 'scores')
    if scores is None or np.size(scores) != len(boxes):
        return ForeignBoxes(from_matlab(boxes))
    return ForeignBoxes(from_matlab(boxes), np.ravel(scores).astype(np.float64))


def read_mmdet(path: Path) -> ForeignProposals:
    """Read what mmdet dumps: xyxy, 0-based, x2 and y2 exclusive.

    Args:
        path: mmdet 3: a dict of ``folder/image.jpg`` to ``bboxes`` and ``scores``. mmdet 2: a list
            of [N, 4] or, with scores, [N, 5], in the order of the data set.
    """
    content = load_arrays(path)
    if isinstance(content, Mapping):
        return ForeignProposals({str(name): _of_mmdet(one) for name, one in content.items()})
    if isinstance(content, Sequence):
        return ForeignProposals({}, [_of_mmdet(one) for one in content])
    raise UserError(f'{path} holds no proposals of mmdet: say another --format.')


def _of_mmdet(one: Any) -> ForeignBoxes:
    if hasattr(one, 'bboxes'):
        one = {'bboxes': one.bboxes, 'scores': one.get('scores')}
    if isinstance(one, Mapping):
        scores = one.get('scores')
        return ForeignBoxes(
            np.asarray(one['bboxes'], dtype=np.float64).reshape(-1, 4),
            None if scores is None else np.asarray(scores, dtype=np.float64).ravel(),
        )
    rows = np.asarray(one, dtype=np.float64)
    rows = rows.reshape(-1, 5 if rows.shape[-1] == 5 else 4)
    return ForeignBoxes(rows[:, :4], rows[:, 4] if rows.shape[1] == 5 else None)


def read_detectron(path: Path) -> ForeignProposals:
    """Read a proposal file of Detectron or Detectron2.

    Args:
        path: A dict of lists: ``boxes``, ``ids`` or ``indexes``, and ``scores`` (Detectron, whose
            0-based xyxy boxes hold both corners) or ``objectness_logits`` (Detectron2, whose
            boxes end before x2 and y2, or are xywh where ``bbox_mode`` says so).
    """
    content = load_arrays(path)
    if not isinstance(content, Mapping) or 'boxes' not in content:
        raise UserError(f'{path} holds no proposals of Detectron: say another --format.')
    ids = content.get('ids', content.get('indexes'))
    boxes = content['boxes']
    if ids is None or len(ids) != len(boxes):
        raise UserError(f'{path} has no id for each of its photos: write it again with ids.')
    second = 'objectness_logits' in content or 'bbox_mode' in content
    mode = int(content.get('bbox_mode', 0))
    if mode not in (0, 1):
        raise UserError(f'{path} has boxes of mode {mode}: write them as XYXY_ABS.')
    scores = content.get('objectness_logits' if second else 'scores', [None] * len(boxes))
    return ForeignProposals(
        {
            str(name): _of_detectron(one, score, inclusive=not second, xywh=mode == 1)
            for name, one, score in zip(ids, boxes, scores)
        }
    )


def _of_detectron(boxes: Any, scores: Any, inclusive: bool, xywh: bool) -> ForeignBoxes:
    boxes = np.array(boxes, dtype=np.float64).reshape(-1, 4)
    if inclusive or xywh:
        boxes[:, 2:] += 1.0 if inclusive else boxes[:, :2]
    known = scores is not None and np.size(scores) == len(boxes)
    return ForeignBoxes(boxes, np.ravel(scores).astype(np.float64) if known else None)
