"""Reading predictions from a file."""

import os
from collections.abc import Mapping, Sequence, Sized
from logging import WARNING
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmdet.structures.bbox import get_box_tensor
from mmengine.logging import print_log
from pycocotools.coco import COCO

from mmlabelpenet.datasets.coco_doubts import CORNERS, may_be_corners
from mmlabelpenet.datasets.coco_file import as_id
from mmlabelpenet.datasets.coco_masks import check_runs, polygon_extent, runs_extent
from mmlabelpenet.datasets.coco_objects import (
    Geometry,
    compare_boxes,
    find_corners,
    understand_modes,
)
from mmlabelpenet.utils import (
    UserError,
    box_text,
    explain_read_errors,
    image_name,
    load_arrays,
    load_json,
    mask_areas,
    to_rles,
)

from .metrics.base import boxes_of, labels_of, to_numpy

REMEDY = 'dump them with `tools/test.py CONFIG CHECKPOINT --out FILE.pkl`'
# of each part of a COCO file, the fields that are whole numbers or ids
_IDS = {
    'images': {'id', 'height', 'width'},
    'annotations': {'image_id', 'category_id'},
    'categories': {'id'},
}
JSON_REMEDY = 'fix the file, or export the labels again'
# of scores that were computed with less precision
SCORE_TOLERANCE = 1e-3
# of each instance
_SHAPES: dict[str, tuple[int, ...]] = {'labels': (), 'scores': (), 'bboxes': (4,)}
_REQUIRED = {
    'images': ('id', 'file_name'),
    'annotations': ('image_id', 'category_id', 'bbox'),
    'categories': ('id', 'name'),
}


def remedy_of(path: str | Path) -> str:
    """What a user can do about a file of predictions that cannot be measured."""
    return JSON_REMEDY if Path(path).suffix.lower() == '.json' else REMEDY


def read_predictions(path: str | Path, classes: Sequence[str]) -> list[dict]:
    """Read predictions from a file.

    Args:
        path: A ``.pkl`` as ``tools/test.py --out`` or mmdet's ``DumpDetResults`` writes it, or a
            ``.json`` in COCO's data format (such as pseudo labels), whose annotations may have a
            ``score`` and whose images are found by ``file_name``, see :class:`PredictionIndex`.
        classes: Names of the classes of the labels.

    Returns:
        One dict per image, with ``pred_instances`` and the name of the image.

    Raises:
        UserError: If the file is missing, cannot be read, has other classes, or values that are no
            boxes, scores or masks.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f'There are no predictions {path}: {REMEDY}.')
    with explain_read_errors(path, 'predictions', remedy_of(path)):
        if path.suffix.lower() == '.json':
            content = load_json(path, path.read_bytes())
            samples = _from_coco(content, classes, path)
            check_predictions(samples, classes, path)
            return samples
        samples = load_arrays(path, 'predictions', REMEDY, trustable=True)
        _require_predictions(samples)
        for sample in samples:
            _require_classes(sample.get('classes', classes), classes, path)
        check_predictions(samples, classes, path)
        return samples


def check_predictions(samples: Sequence[Mapping], classes: Sequence[str], path: Path) -> None:
    """Make sure that predictions are boxes, labels, scores and masks that can be measured.

    Args:
        samples: One dict per image.
        classes: Names of the classes.
        path: Of their file, for messages.

    Raises:
        UserError: If one of them is not.
    """
    for sample in samples:
        problem = _problem_of(sample, len(classes))
        if problem:
            raise UserError(f'In {path} photo {image_name(sample)} {problem}; {remedy_of(path)}.')
    apart = [image_name(sample) for sample in samples for _ in range(_count_apart(sample))]
    if apart:
        _warn(
            f'{path}: a box and its mask do not touch ({len(apart)} in all, such as one of photo '
            f'{apart[0]}): both are measured as they are; check them.'
        )


def _warn(sentence: str) -> None:
    print_log(sentence, logger='current', level=WARNING)


def _count_apart(sample: Mapping) -> int:
    """Count the boxes of an image that lie apart from their masks; empty masks lie nowhere."""
    found = sample['pred_instances']
    rles = to_rles(found.get('masks', []))
    if not rles:
        return 0
    corners = boxes_of(found).astype(float)
    extents = np.array([runs_extent(one) for one in rles])
    extents[mask_areas(rles) == 0] = np.nan
    boxes = np.hstack([corners[:, :2], corners[:, 2:] - corners[:, :2]])
    return len(compare_boxes(boxes, extents)[1])


def _problem_of(sample: Mapping, num_classes: int) -> str:
    """What is wrong with the predictions of an image, if anything."""
    found, size = sample['pred_instances'], sample.get('ori_shape')
    sides = np.asarray([] if size is None else size)
    if sides.dtype.kind not in 'iuf' or sides.shape == () or len(sides) == 1 or (sides % 1).any():
        return f'has the ori_shape {size}, which is no height and width'
    for name, shape in _SHAPES.items():
        values = to_numpy(get_box_tensor(found[name]))
        if values.size and (values.shape[1:] != shape or values.dtype.kind not in 'iuf'):
            wanted = f'[{len(values) if values.ndim else "N"}{", 4" if shape else ""}] of numbers'
            return (
                f'has {name} of shape {list(values.shape)} and type {values.dtype}, not {wanted}'
            )
        if not np.isfinite(values.astype(float)).all():
            return 'has a box, label or score that is no number'
    labels, scores, boxes = labels_of(found), to_numpy(found['scores']), boxes_of(found)
    if len({len(labels), len(scores), len(boxes)}) > 1:
        return f'has {len(boxes)} boxes, {len(labels)} labels and {len(scores)} scores'
    inverted = (boxes[:, 2:] < boxes[:, :2]).any(axis=1)
    if inverted.any():
        box = box_text(boxes[inverted][0])
        return f'has a box that ends before it begins, {box} as x1, y1, x2, y2'
    if (labels != to_numpy(found['labels'])).any():
        return 'has a label that is no whole number'
    if (abs(scores - 0.5) > 0.5 + SCORE_TOLERANCE).any():
        worst = scores[abs(scores - 0.5).argmax()]
        return f'has the score {worst:g}, but scores are from 0 to 1'
    if ((labels < 0) | (labels >= num_classes)).any():
        wrong = labels[(labels < 0) | (labels >= num_classes)][0]
        return f'has the label {wrong}, but there are {num_classes} classes, counted from 0'
    rles = found.get('masks')
    if rles is None or len(rles) == 0:
        return ''
    if isinstance(rles, np.ndarray | torch.Tensor) and to_numpy(rles).dtype.kind in 'biu':
        return ''
    if not isinstance(rles, list | tuple) or not all(isinstance(one, dict) for one in rles):
        return 'has masks that are neither run lengths (size and counts) nor arrays of bool'
    size = list(sample.get('ori_shape') or rles[0]['size'])[:2]
    masks = [{'size': [*map(int, one['size'])], 'counts': _text(one['counts'])} for one in rles]
    return _runs_problem(masks, size)


def _text(counts: Any) -> Any:
    return counts.decode('latin-1') if isinstance(counts, bytes) else counts


def _require_predictions(samples: Any) -> None:
    """Make sure that a file holds a dict per image, with as many scores as boxes."""
    if not isinstance(samples, list | tuple):
        raise ValueError(f'it holds a {type(samples).__name__} instead of a list of predictions')
    for index, sample in enumerate(samples):
        if not isinstance(sample, dict) or not {'img_id', 'pred_instances'} <= set(sample):
            raise ValueError(f'entry {index} is no dict with img_id and pred_instances')
        found = sample['pred_instances']
        if not isinstance(sample.get('img_path') or '', str | os.PathLike):
            raise ValueError(f'the img_path {sample["img_path"]!r} is no text')
        missing = [name for name in ('bboxes', 'labels', 'scores') if name not in found]
        if missing:
            raise ValueError(f'photo {sample["img_id"]} has no {missing[0]}')
        shapeless = [name for name, value in found.items() if not isinstance(value, Sized)]
        if shapeless:
            raise ValueError(f'photo {sample["img_id"]} has {shapeless[0]} that are no list')
        number = {len(value) for value in found.values()}
        if len(number) > 1:
            raise ValueError(f'photo {sample["img_id"]} has different numbers of boxes and scores')


def _require_classes(given: Sequence[str], classes: Sequence[str], path: Path) -> None:
    if tuple(given) != tuple(classes):
        differing = sorted(set(given) ^ set(classes)) or ['their order']
        raise UserError(
            f'{path} holds predictions of other classes than the config has ({differing[0]}): '
            'use the config that they were made with.'
        )


def _from_coco(content: dict, classes: Sequence[str], path: Path) -> list[dict]:
    if isinstance(content, list):
        raise UserError(
            f"{path} is a list of COCO's results, which names neither photos nor classes: give a "
            "file of COCO's data format, with images, categories and annotations."
        )
    _require_fields(content)
    _make_ids_plain(content)
    names = {one['id']: str(one['name']).strip() for one in content['categories']}
    _require_classes([*classes, *(set(names.values()) - set(classes))], classes, path)
    labels = {number: classes.index(name) for number, name in names.items()}
    # an annotation may name its class instead of the number of it
    labels = {name: classes.index(name) for name in names.values()} | labels
    listed = {image['id'] for image in content['images']}
    for one in content['annotations']:
        if one['image_id'] not in listed or one['category_id'] not in labels:
            raise ValueError(
                f'an annotation of the image {one["image_id"]!r} and the category '
                f'{one["category_id"]!r}, one of which is not in the lists of the file'
            )
    _require_scores(content['annotations'], path)
    _require_sizes_in_boxes(content, path)
    coco = COCO()
    coco.dataset = content
    coco.createIndex()
    root = (content.get('info') or {}).get('photo_root')
    return [
        {
            'file_name': image['file_name'],
            'photo_root': root,
            'ori_shape': tuple(image[name] for name in ('height', 'width') if name in image),
            'pred_instances': _instances(coco, coco.imgToAnns[image['id']], labels),
            # COCO's boxes end where their last pixel ends
            'boxes_end': 'outside',
        }
        for image in content['images']
    ]


def _require_fields(content: Any) -> None:
    for part, fields in _REQUIRED.items():
        entries = content.get(part) if isinstance(content, dict) else None
        if not isinstance(entries, list):
            raise ValueError(f'it has no list of {part}')
        for entry in entries:
            lacking = [name for name in fields if not isinstance(entry, dict) or name not in entry]
            if lacking:
                raise ValueError(f'an entry of {part} lacks {lacking[0]}: {str(entry)[:80]}')
            if not isinstance(entry.get('file_name', ''), str):
                raise ValueError(f'the file_name {entry["file_name"]!r} is no text')
            box = entry.get('bbox', [0] * 4)
            if not isinstance(box, list) or len(box) != 4 or bool in map(type, box):
                raise ValueError(f'a bbox is not [x, y, width, height]: {str(box)[:80]}')


def _make_ids_plain(content: dict) -> None:
    """Give ids and sizes their meaning, as data sets do, and annotations an id if they lack it."""
    for part, fields in _IDS.items():
        for number, entry in enumerate(content[part]):
            for name in fields & set(entry):
                if as_id(entry[name]) is None:
                    raise ValueError(f'an entry of {part} has no valid {name}: {str(entry)[:80]}')
                entry[name] = as_id(entry[name])
            entry.setdefault('id', number)
    for part, key in (('images', 'id'), ('categories', 'id'), ('categories', 'name')):
        if len({entry[key] for entry in content[part]}) < len(content[part]):
            raise ValueError(f'two entries of {part} have the same {key}')


def _require_scores(annotations: Sequence[dict], path: Path) -> None:
    """Make sure that all annotations have a score, or none, as labels by hand."""
    scored = [one for one in annotations if 'score' in one]
    for one in scored:
        if isinstance(one['score'], bool) or not isinstance(one['score'], int | float | str):
            raise ValueError(f'the score {one["score"]!r} is no number')
        one['score'] = float(one['score'])
    if 0 < len(scored) < len(annotations):
        lacking = len(annotations) - len(scored)
        raise ValueError(f'{lacking} of {len(annotations)} annotations have no score')
    if annotations and not scored:
        _warn(f'{path}: no annotation has a score, so that all count as sure (score 1).')


def _require_sizes_in_boxes(content: dict, path: Path) -> None:
    """Refuse boxes that are corners, as their masks, areas or modes show; warn if they may be."""
    annotations = content['annotations']
    wrong = next(iter(understand_modes(annotations).values()), None)
    if wrong:
        raise ValueError(f'an annotation {wrong}')
    sizes = {one['id']: (one.get('height', 0), one.get('width', 0)) for one in content['images']}
    problem = find_corners(annotations, [sizes[one['image_id']] for one in annotations])
    if problem:
        raise UserError(f'{path} {": ".join(problem)}.')
    shapes = [Geometry(one['bbox'], one.get('segmentation') or None) for one in annotations]
    if may_be_corners(annotations, shapes):
        _warn(CORNERS.format(example=str(path)))


def _instances(
    coco: COCO, annotations: Sequence[dict], labels: Mapping[int, int]
) -> dict[str, Any]:
    """Predictions of an image, boxes [N, 4] as xyxy with x2 and y2 exclusive."""
    boxes = np.array([one['bbox'] for one in annotations], dtype=np.float64).reshape(-1, 4)
    boxes[:, 2:] += boxes[:, :2]
    found: dict[str, Any] = {
        'labels': torch.tensor([labels[one['category_id']] for one in annotations]).long(),
        'scores': torch.tensor([one.get('score', 1.0) for one in annotations]),
        'bboxes': torch.from_numpy(boxes),
    }
    if all(one.get('segmentation') for one in annotations):
        found['masks'] = [_to_rle(coco, one) for one in annotations]
    return found


def _to_rle(coco: COCO, annotation: dict) -> dict:
    """Convert a mask to run lengths, after checks that pycocotools' C code relies on."""
    image, mask = coco.imgs[annotation['image_id']], annotation['segmentation']
    if not {'height', 'width'} <= image.keys():
        raise ValueError(f'the photo {image["file_name"]} has no height and width')
    size = [image['height'], image['width']]
    if isinstance(mask, dict):
        problem = _runs_problem([mask], size)
        if problem:
            raise ValueError(f'the photo {image["file_name"]} {problem}')
    else:
        polygon_extent(mask, (size[0], size[1]))
    return coco.annToRLE(annotation)


def _runs_problem(masks: Sequence[dict], size: Sequence[int]) -> str:
    """What is wrong with run lengths, if anything; a mask may be empty and match no object."""
    found = check_runs(masks, [(size[0], size[1])] * len(masks))
    problems = (str(one) for one in found if one is not None)
    return next((one for one in problems if 'without a single pixel' not in one), '')
