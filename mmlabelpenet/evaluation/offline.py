"""Measuring predictions that a file holds."""

import copy
import json
import pickle
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import torch
from mmengine.evaluator import Evaluator
from pycocotools.coco import COCO

from mmlabelpenet.registry import DATASETS
from mmlabelpenet.utils import UserError

from .report import ClassTable

# Loading transforms that read no truth.
NOT_TRUTH = ('LoadImageFromFile', 'LoadRegionProposals', 'LoadProposals')
REMEDY = 'dump them with `tools/test.py CONFIG CHECKPOINT --out FILE.pkl`'


def read_predictions(path: str | Path, classes: Sequence[str]) -> list[dict]:
    """Read predictions from a file.

    Args:
        path: A ``.pkl`` as ``tools/test.py --out`` or mmdet's ``DumpDetResults`` writes it, or a
            ``.json`` in COCO's data format (pseudo labels, say), whose annotations may have a
            ``score`` and whose images are found by ``file_name`` without suffix, or its last part.
        classes: Names that the labels stand for.

    Returns:
        One dict per image, with ``img_id`` and ``pred_instances``.

    Raises:
        UserError: If the file is missing, can not be read, or is of other classes.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f'There are no predictions {path}: {REMEDY}.')
    try:
        if path.suffix == '.json':
            content = json.loads(path.read_text(encoding='utf-8'))
            return _from_coco(content, classes, path)
        with path.open('rb') as file:
            samples = pickle.load(file)
        if not all('pred_instances' in sample and 'img_id' in sample for sample in samples):
            raise ValueError('not a list of predictions')
    except UserError:
        raise
    # a broken file fails in as many ways as json, pickle and torch have
    except Exception as error:
        raise UserError(
            f'{path} can not be read as predictions ({type(error).__name__}: {error}): {REMEDY}.'
        ) from error
    for sample in samples:
        _require_classes(sample.get('classes', classes), classes, path)
    return samples


def _require_classes(given: Sequence[str], classes: Sequence[str], path: Path) -> None:
    if tuple(given) != tuple(classes):
        differing = sorted(set(given) ^ set(classes)) or ['their order']
        raise UserError(
            f'{path} holds predictions of other classes than the config has ({differing[0]}): '
            'use the config that they were made with.'
        )


def _from_coco(content: dict, classes: Sequence[str], path: Path) -> list[dict]:
    names = {one['id']: one['name'] for one in content['categories']}
    unknown = sorted(set(names.values()) - set(classes))
    if unknown:
        _require_classes([*classes, *unknown], classes, path)
    coco = COCO()
    coco.dataset = content
    coco.createIndex()
    samples = []
    for image in content['images']:
        found = _instances(coco, coco.imgToAnns[image['id']], names, classes)
        name = PurePosixPath(image['file_name']).with_suffix('')
        # COCO's boxes end where their last pixel does
        sample = {'img_id': str(name), 'pred_instances': found, 'boxes_end': 'outside'}
        samples.append(sample)
    return samples


def _instances(
    coco: COCO, annotations: Sequence[dict], names: Mapping[int, str], classes: Sequence[str]
) -> dict[str, Any]:
    """Predictions of an image, boxes [N, 4] as xyxy with x2 and y2 exclusive."""
    boxes = np.array([one['bbox'] for one in annotations], dtype=np.float64).reshape(-1, 4)
    boxes[:, 2:] += boxes[:, :2]
    labels = [classes.index(names[one['category_id']]) for one in annotations]
    found: dict[str, Any] = {
        'labels': torch.tensor(labels, dtype=torch.long),
        'scores': torch.tensor([one.get('score', 1.0) for one in annotations]),
        'bboxes': torch.from_numpy(boxes),
    }
    if all(one.get('segmentation') for one in annotations):
        found['masks'] = [coco.annToRLE(one) for one in annotations]
    return found


def truth_of(dataset_cfg: Mapping[str, Any]) -> tuple[dict, Iterator[dict]]:
    """Load the truth of a data set without its images and their proposals.

    Args:
        dataset_cfg: Config of the data set. Of its pipeline only those transforms run that load
            or pack, but for those of ``NOT_TRUTH``.

    Returns:
        The data set's metainfo, and one dict per image, as metrics receive them.

    Raises:
        UserError: If the data set is a wrapper, or a part of it is missing.
    """
    settings = copy.deepcopy(dict(dataset_cfg))
    if 'pipeline' not in settings:
        raise UserError(
            f'A {settings["type"]} can not be measured from a file, for it has no pipeline of '
            'its own: name the data set that it wraps.'
        )
    names = [step['type'].rpartition('.')[2] for step in settings['pipeline']]
    settings['pipeline'] = [
        step
        for step, name in zip(settings['pipeline'], names)
        if name.startswith(('Load', 'Pack')) and name not in NOT_TRUTH
    ]
    dataset = DATASETS.build(settings)
    samples = (dataset[index]['data_samples'].to_dict() for index in range(len(dataset)))
    return dataset.metainfo, samples


def _by_image(predictions: Sequence[dict], path: str | Path) -> dict[tuple, dict]:
    """Predictions by data set's name (None where unknown) and image; also by the image's stem."""
    found: dict[tuple, dict] = {}
    for sample in predictions:
        key = sample.get('dataset_name'), str(sample['img_id'])
        if key in found:
            raise UserError(f'{path} holds photo {key[1]} twice: {REMEDY}.')
        found[key] = sample
    # names in COCO's format begin with folders, of which the data set may know fewer or more
    stems = Counter(_stem(key) for key in found)
    return {_stem(key): one for key, one in found.items() if stems[_stem(key)] == 1} | found


def _stem(key: tuple) -> tuple:
    return key[0], PurePosixPath(key[1]).name


def join_truth(
    predictions: Sequence[dict], truth: Iterator[dict], path: str | Path
) -> Iterator[dict]:
    """Give every image of the truth its predictions.

    Args:
        predictions: Of these images, in any order, and maybe of others.
        truth: One dict per image.
        path: Where the predictions came from, for messages.

    Yields:
        Samples as metrics receive them, in the order of the truth.

    Raises:
        UserError: If an image has no predictions, or twice.
    """
    by_image = _by_image(predictions, path)
    for true in truth:
        img_id = str(true['img_id'])
        keys = [(true.get('dataset_name'), img_id), (None, img_id), _stem((None, img_id))]
        sample = next((by_image[key] for key in keys if key in by_image), None)
        if sample is None:
            raise UserError(
                f'{path} holds no predictions for photo {img_id} of this split: '
                f'{REMEDY}, or choose another --split.'
            )
        kept = {name: value for name, value in sample.items() if not name.startswith('gt_')}
        yield {**kept, **true}


def evaluate_predictions(
    sets: Sequence[Mapping[str, Any]], path: str | Path
) -> tuple[dict[str, float], list[ClassTable]]:
    """Measure the predictions of a file.

    Args:
        sets: What to measure on which images, see :func:`evaluation_sets`.
        path: See :func:`read_predictions`.

    Returns:
        Figures by name, and what there is per class.

    Raises:
        UserError: See :func:`read_predictions` and :func:`join_truth`.
    """
    metrics: dict[str, float] = {}
    tables: list[ClassTable] = []
    for part in sets:
        metainfo, truth = truth_of(part['dataloader']['dataset'])
        evaluator = Evaluator(list(part['evaluator']))
        evaluator.dataset_meta = metainfo
        predictions = read_predictions(path, metainfo['classes'])
        samples = join_truth(predictions, truth, path)
        metrics = evaluator.offline_evaluate(samples) | metrics
        tables += tables_of(evaluator)
    return metrics, tables


def tables_of(evaluator: Evaluator) -> list[ClassTable]:
    """What an evaluation logged of every class."""
    return [table for metric in evaluator.metrics for table in getattr(metric, 'tables', [])]
