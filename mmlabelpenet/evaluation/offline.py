"""Measuring the predictions of a file."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import torch
from mmengine.evaluator import Evaluator
from pycocotools.coco import COCO

from mmlabelpenet.datasets.coco_masks import compressed_sums
from mmlabelpenet.registry import DATASETS
from mmlabelpenet.utils import UserError, explain_read_errors, load_arrays

from .metrics.base import ImageMetric
from .report import ClassTable

REMEDY = 'dump them with `tools/test.py CONFIG CHECKPOINT --out FILE.pkl`'


def read_predictions(path: str | Path, classes: Sequence[str]) -> list[dict]:
    """Read predictions from a file.

    Args:
        path: A ``.pkl`` as ``tools/test.py --out`` or mmdet's ``DumpDetResults`` writes it, or a
            ``.json`` in COCO's data format (such as pseudo labels), whose annotations may have a
            ``score`` and whose images are found by ``file_name`` without suffix, or its last part.
        classes: Names of the classes of the labels.

    Returns:
        One dict per image, with ``img_id`` and ``pred_instances``.

    Raises:
        UserError: If the file is missing, cannot be read, or has other classes.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f'There are no predictions {path}: {REMEDY}.')
    with explain_read_errors(path, 'predictions', REMEDY):
        if path.suffix == '.json':
            content = json.loads(path.read_text(encoding='utf-8'))
            return _from_coco(content, classes, path)
        samples = load_arrays(path, 'predictions', REMEDY, trustable=True)
        _require_predictions(samples)
        for sample in samples:
            _require_classes(sample.get('classes', classes), classes, path)
        return samples


def _require_predictions(samples: Any) -> None:
    """Make sure that a file holds a dict per image, with as many scores as boxes."""
    if not isinstance(samples, list | tuple):
        raise ValueError(f'it holds a {type(samples).__name__} instead of a list of predictions')
    for index, sample in enumerate(samples):
        if not isinstance(sample, dict) or not {'img_id', 'pred_instances'} <= set(sample):
            raise ValueError(f'entry {index} is no dict with img_id and pred_instances')
        found = sample['pred_instances']
        missing = [name for name in ('bboxes', 'labels', 'scores') if name not in found]
        if missing:
            raise ValueError(f'photo {sample["img_id"]} has no {missing[0]}')
        number = {len(value) for value in dict(found).values()}
        if len(number) > 1:
            raise ValueError(f'photo {sample["img_id"]} has different numbers of boxes and scores')
        masks = found.get('masks', [])
        if any(isinstance(mask, dict) for mask in masks):
            _require_runs(masks, sample['img_id'])


def _require_runs(masks: Sequence[dict], img_id: object) -> None:
    """Make sure that run lengths are whole, for pycocotools' C code trusts them."""
    texts = [str(mask['counts'], 'ascii') for mask in masks]
    totals, _ = compressed_sums(texts)
    if any(total != mask['size'][0] * mask['size'][1] for total, mask in zip(totals, masks)):
        raise ValueError(f'photo {img_id} has a mask of damaged run lengths')


def _require_classes(given: Sequence[str], classes: Sequence[str], path: Path) -> None:
    if tuple(given) != tuple(classes):
        differing = sorted(set(given) ^ set(classes)) or ['their order']
        raise UserError(
            f'{path} holds predictions of other classes than the config has ({differing[0]}): '
            'use the config that they were made with.'
        )


def _from_coco(content: dict, classes: Sequence[str], path: Path) -> list[dict]:
    names = {one['id']: one['name'] for one in content['categories']}
    _require_classes([*classes, *(set(names.values()) - set(classes))], classes, path)
    labels = {number: classes.index(name) for number, name in names.items()}
    coco = COCO()
    coco.dataset = content
    coco.createIndex()
    return [
        {
            'img_id': str(PurePosixPath(image['file_name']).with_suffix('')),
            'pred_instances': _instances(coco, coco.imgToAnns[image['id']], labels),
            # COCO's boxes end where their last pixel ends
            'boxes_end': 'outside',
        }
        for image in content['images']
    ]


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
        found['masks'] = [coco.annToRLE(one) for one in annotations]
    return found


def loads_annotations(transform: Mapping[str, Any]) -> bool:
    """Whether a transform loads annotations, and neither an image nor proposals.

    Args:
        transform: Config of the transform.
    """
    name = str(transform['type']).rpartition('.')[2]
    others = ('LoadImage', 'LoadRegionProposals', 'LoadProposals')
    return name.startswith('Load') and not name.startswith(others)


def load_ground_truth(dataset_cfg: Mapping[str, Any]) -> tuple[dict, Iterator[dict]]:
    """Load the ground truth of a data set without its images and their proposals.

    Args:
        dataset_cfg: Config of the data set. Of its pipeline only the transforms run that load
            annotations, and the last one, which packs.

    Returns:
        The data set's metainfo, and one dict per image, as metrics receive them.

    Raises:
        UserError: If the data set is a wrapper, or a part of it is missing.
    """
    if 'pipeline' not in dataset_cfg:
        raise UserError(
            f'A {dataset_cfg["type"]} cannot be measured from a file, because it has no pipeline '
            'of its own: name the data set that it wraps.'
        )
    *transforms, pack = dataset_cfg['pipeline']
    pipeline = [*filter(loads_annotations, transforms), pack]
    dataset = DATASETS.build({**dataset_cfg, 'pipeline': pipeline})
    indices = range(len(dataset))
    return dataset.metainfo, (dataset[index]['data_samples'].to_dict() for index in indices)


def _by_image(predictions: Sequence[dict], path: str | Path) -> dict[tuple, dict]:
    """Predictions by name of data set (None if unknown) and image; also by the image's stem."""
    found: dict[tuple, dict] = {}
    for sample in predictions:
        key = sample.get('dataset_name'), str(sample['img_id'])
        if key in found:
            raise UserError(f'{path} holds photo {key[1]} twice: {REMEDY}.')
        found[key] = sample
    # names in COCO's format begin with folders, of which the data set may know fewer or more
    stems = Counter(map(_stem, found))
    return {_stem(key): one for key, one in found.items() if stems[_stem(key)] == 1} | found


def _stem(key: tuple) -> tuple:
    return key[0], PurePosixPath(key[1]).name


def join_ground_truth(
    predictions: Sequence[dict], ground_truth: Iterator[dict], path: str | Path
) -> Iterator[dict]:
    """Join the predictions of every image with its ground truth.

    Args:
        predictions: Of these images, in any order, and maybe of others.
        ground_truth: One dict per image.
        path: File of the predictions, for messages.

    Yields:
        Samples as metrics receive them, in the order of the ground truth.

    Raises:
        UserError: If an image has no predictions, or twice.
    """
    by_image = _by_image(predictions, path)
    for gt in ground_truth:
        img_id = str(gt['img_id'])
        keys = [(gt.get('dataset_name'), img_id), (None, img_id), _stem((None, img_id))]
        sample = next((by_image[key] for key in keys if key in by_image), None)
        if sample is None:
            raise UserError(
                f'{path} holds no predictions for photo {img_id} of this split: '
                f'{REMEDY}, or choose another --split.'
            )
        kept = {name: value for name, value in sample.items() if not name.startswith('gt_')}
        yield {**kept, **gt}


def evaluate_predictions(
    sets: Sequence[Mapping[str, Any]], path: str | Path
) -> tuple[dict[str, float], list[ClassTable]]:
    """Measure the predictions of a file.

    Args:
        sets: What to measure on which images, see :func:`evaluation_sets`.
        path: See :func:`read_predictions`.

    Returns:
        Figures by name, and the tables of classes.

    Raises:
        UserError: See :func:`read_predictions` and :func:`join_ground_truth`.
    """
    metrics: dict[str, float] = {}
    evaluators = []
    for part in sets:
        metainfo, ground_truth = load_ground_truth(part['dataloader']['dataset'])
        evaluator = Evaluator(list(part['evaluator']))
        evaluator.dataset_meta = metainfo
        predictions = read_predictions(path, metainfo['classes'])
        samples = join_ground_truth(predictions, ground_truth, path)
        metrics = evaluator.offline_evaluate(samples) | metrics
        evaluators.append(evaluator)
    return metrics, tables_of(evaluators)


def tables_of(evaluators: Sequence[Evaluator]) -> list[ClassTable]:
    """Get the tables of classes that evaluations logged."""
    metrics = [metric for evaluator in evaluators for metric in evaluator.metrics]
    return [table for one in metrics if isinstance(one, ImageMetric) for table in one.tables]
