"""Reading the proposal files of other projects."""

import os
import os.path as osp
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from mmlabelpenet.utils import UserError, box_text, explain_read_errors, load_arrays

# Boxes [N, 4] of each image, by its name, or in the order of the data set if a file has no names.
ForeignProposals = dict[str, np.ndarray] | list[np.ndarray]


def read_foreign(path: str | Path, format_name: str) -> ForeignProposals:
    """Read the proposals of another project.

    Args:
        path: A file; for MCG the folder of ``.mat`` files, one per image.
        format_name: One of ``FORMATS``.

    Returns:
        Boxes [N, 4] float64 of each image, by its name or in the order of the data set: xyxy,
        0-based, x2 and y2 exclusive, by falling score.

    Raises:
        UserError: If the format is unknown, the file has another format, or values in it are no
            corners of boxes.
    """
    if format_name not in FORMATS:
        raise UserError(f'Unknown format {format_name!r}: choose one of {", ".join(FORMATS)}.')
    if not Path(path).exists():
        raise UserError(f'There are no proposals at {path}: fix the path.')
    with explain_read_errors(path, f'proposals of {format_name}', 'fix it, or the --format'):
        found = _READERS[format_name](Path(path))
    _require_corners(found, path, format_name)
    return found


def _require_corners(found: ForeignProposals, path: str | Path, format_name: str) -> None:
    """Refuse boxes that end before they begin; all boxes of the file tell what they are."""
    named = found if isinstance(found, dict) else dict(enumerate(found, start=1))
    boxes = np.concatenate([np.zeros((0, 4)), *named.values()])
    wrong = ~(boxes[:, 2:] >= boxes[:, :2]).all(axis=1) | ~np.isfinite(boxes).all(axis=1)
    if not wrong.any():
        return
    first = int(wrong.argmax())
    ends = np.cumsum([len(one) for one in named.values()])
    name = [*named][np.searchsorted(ends, first, side='right')]
    finite = np.isfinite(boxes[first]).all()
    # of corners only a few can be wrong; many boxes are narrower than their x1
    sizes = finite and wrong.mean() > 0.1 and (boxes[:, 2:] > 0).all()
    likely = '; they look like x, y, width, height' if sizes else ''
    problem = 'end before they begin' if finite else 'are no numbers'
    raise UserError(
        f'{path}: {wrong.sum()} of {len(boxes)} boxes {problem}, such as '
        f'{box_text(boxes[first])} of photo {name} as x1, y1, x2, y2{likely}: write '
        f'{_COORDINATES[format_name]}, or choose another --format.'
    )


def _rows(value: Any, columns: Sequence[int] = (4,)) -> np.ndarray:
    """Convert boxes [N, 4], or with other columns, to float64; none may have any shape."""
    if value is None:
        raise ValueError('it has no boxes')
    rows = np.asarray(value)
    if rows.size == 0:
        return np.zeros((0, columns[-1]))
    if rows.ndim != 2 or rows.shape[1] not in columns or rows.dtype.kind not in 'iuf':
        raise ValueError(f'boxes of shape {list(rows.shape)} and type {rows.dtype}, not [N, 4]')
    return rows.astype(np.float64)


def _convert(
    function: Callable[..., np.ndarray], names: Iterable, *values: Iterable
) -> dict[str, np.ndarray]:
    """Convert what a file holds of each photo to boxes; errors name the photo."""
    found: dict[str, np.ndarray] = {}
    for name, *one in zip(names, *values):
        key = os.fsdecode(name) if isinstance(name, bytes) else str(name)
        # ./a.jpg is a.jpg
        key = osp.normpath(key) if key else key
        if key in found:
            raise ValueError(f'the photo {name} is there twice')
        try:
            found[key] = function(*one)
        except (AttributeError, TypeError, ValueError) as error:
            raise ValueError(f'photo {name}: {error}') from error
    return found


def sort_by_score(boxes: ArrayLike, scores: Any = None) -> np.ndarray:
    """Sort boxes by falling score; without scores they keep their order.

    Args:
        boxes: [N, 4].
        scores: [N], or none of them.

    Returns:
        [N, 4] float64.

    Raises:
        ValueError: If boxes or scores have another shape or type.
    """
    boxes = _rows(boxes)
    if scores is None or np.size(scores) == 0:
        return boxes
    values = np.ravel(scores).astype(np.float64)
    if len(values) != len(boxes):
        raise ValueError(f'{len(values)} scores of {len(boxes)} boxes')
    if np.isnan(values).any():
        raise ValueError('a score is no number')
    return boxes[np.argsort(-values, kind='stable')]


def from_matlab(boxes: np.ndarray) -> np.ndarray:
    """Convert boxes from Matlab's coordinates to this package's.

    Args:
        boxes: [N, 4] of (y1, x1, y2, x2), 1-based, both corners inclusive.

    Returns:
        [N, 4] xyxy, 0-based, x2 and y2 exclusive.

    Example:
        >>> from_matlab(np.array([[1, 2, 3, 5]]))  # rows 1 to 3, columns 2 to 5
        array([[1., 0., 5., 3.]])
    """
    boxes = _rows(boxes)[:, [1, 0, 3, 2]]
    # The 1-based number of the last pixel is the 0-based number of the next one.
    return boxes - np.array([1.0, 1.0, 0.0, 0.0])


def _load_mat(path: Path, required: Sequence[str] = ()) -> dict:
    # Not at the top: the processes that make proposals import this package without scipy.
    from scipy.io import loadmat

    with explain_read_errors(path, 'a .mat file', 'download it again, or save it with -v7'):
        content = loadmat(path)
    missing = [name for name in required if name not in content]
    if missing:
        known = ', '.join(name for name in content if not name.startswith('__'))
        raise UserError(
            f'{path} has no {missing[0]} but {known}: set --format to the format of the file.'
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
    return _convert(from_matlab, names, boxes)


def read_mcg(path: Path) -> ForeignProposals:
    """Read a folder of MCG's boxes (or of its segments, of which only the boxes are used).

    Args:
        path: Folder of ``{image}.mat`` with ``boxes`` or ``bboxes`` ([N, 4], 1-based
            (y1, x1, y2, x2)) and ``scores`` or ``bboxes_scores``; or one such file.
    """
    files = sorted(path.glob('*.mat')) if path.is_dir() else [path]
    if not files:
        raise UserError(f'{path} contains no .mat file: choose the folder that does.')
    return {file.stem: _read_mcg_image(file) for file in files}


def _read_mcg_image(path: Path) -> np.ndarray:
    content = _load_mat(path)
    keys = ('boxes', 'scores') if 'boxes' in content else ('bboxes', 'bboxes_scores')
    boxes, scores = (content.get(key, np.zeros(0)) for key in keys)
    if boxes.dtype == object or boxes.ndim != 2 or boxes.shape[1] != 4:
        raise UserError(f'{path} contains no MCG boxes of one photo: choose another --format.')
    return sort_by_score(from_matlab(boxes), scores)


def read_mmdet(path: Path) -> ForeignProposals:
    """Read proposals that mmdet has dumped: xyxy, 0-based, x2 and y2 exclusive.

    Args:
        path: mmdet 3: a dict of ``folder/image.jpg`` to ``bboxes`` and ``scores``. mmdet 2: a list
            of [N, 4] or, with scores, [N, 5], in the order of the data set.
    """
    content = load_arrays(path)
    if isinstance(content, Mapping):
        return _convert(_from_mmdet, content, content.values())
    if isinstance(content, Sequence) and not isinstance(content, str):
        return [*_convert(_from_mmdet, range(1, len(content) + 1), content).values()]
    raise UserError(f'{path} contains no proposals of mmdet: choose another --format.')


def _from_mmdet(one: Any) -> np.ndarray:
    """Convert a dict, an ``InstanceData`` or an array."""
    get = getattr(one, 'get', None)
    if get is not None:
        return sort_by_score(get('bboxes'), get('scores'))
    rows = _rows(one, (4, 5))
    return sort_by_score(rows[:, :4], rows[:, 4:])


def read_detectron(path: Path) -> ForeignProposals:
    """Read a proposal file of Detectron or Detectron2.

    Args:
        path: A dict of lists: ``boxes``, ``ids`` or ``indexes``, and ``scores`` (Detectron, whose
            0-based xyxy boxes include both corners) or ``objectness_logits`` (Detectron2, whose
            boxes exclude x2 and y2, or are xywh as ``bbox_mode`` says).
    """
    content = load_arrays(path)
    if not isinstance(content, Mapping) or 'boxes' not in content:
        raise UserError(f'{path} contains no proposals of Detectron: choose another --format.')
    ids, boxes = content.get('ids', content.get('indexes')), content['boxes']
    if ids is None or len(ids) != len(boxes):
        raise UserError(f'{path} does not have an id for each photo: write it again with ids.')
    if [*map(str, ids)] != [*map(str, content.get('indexes', ids))]:
        raise UserError(f'{path} has both ids and indexes, which differ: write one of them.')
    second = 'objectness_logits' in content or 'bbox_mode' in content
    mode = int(content.get('bbox_mode', 0))
    if mode not in (0, 1):
        raise UserError(f'{path} has boxes of mode {mode}: write them as XYXY_ABS.')
    scores = content.get('objectness_logits' if second else 'scores', [None] * len(boxes))
    if len(scores) != len(boxes):
        raise ValueError(f'scores of {len(scores)} photos, boxes of {len(boxes)}')

    def convert(one: Any, score: Any) -> np.ndarray:
        corners = _rows(one)
        corners[:, 2:] += corners[:, :2] if mode == 1 else 0 if second else 1
        return sort_by_score(corners, score)

    return _convert(convert, ids, boxes, scores)


_READERS = {
    'selective_search': read_selective_search,
    'mcg': read_mcg,
    'mmdet': read_mmdet,
    'detectron': read_detectron,
}
FORMATS = tuple(_READERS)
_MATLAB = 'y1, x1, y2, x2 counted from 1'
_COORDINATES = {
    'selective_search': _MATLAB,
    'mcg': _MATLAB,
    'mmdet': 'x1, y1, x2, y2',
    'detectron': 'x1, y1, x2, y2 (or x, y, width, height with bbox_mode 1)',
}
