"""Measuring the predictions of a file."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from mmdet.datasets import BaseDetDataset
from mmengine.evaluator import Evaluator

from mmlabelpenet.registry import DATASETS
from mmlabelpenet.utils import UserError, box_excess, box_text, image_name

from .joining import PredictionIndex
from .metrics.base import ImageMetric, boxes_of
from .prediction_files import read_predictions, remedy_of
from .report import ClassTable


def loads_annotations(transform: Mapping[str, Any]) -> bool:
    """Whether a transform loads annotations, and neither an image nor proposals.

    Args:
        transform: Config of the transform.
    """
    name = str(transform['type']).rpartition('.')[2]
    others = ('LoadImage', 'LoadRegionProposals', 'LoadProposals')
    return name.startswith('Load') and not name.startswith(others)


def load_ground_truth(dataset_cfg: Mapping[str, Any]) -> BaseDetDataset:
    """Build a data set that loads the ground truth, without its images and their proposals.

    Args:
        dataset_cfg: Config of the data set. Of its pipeline only the transforms run that load
            annotations, and the last one, which packs.

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
    return DATASETS.build({**dataset_cfg, 'pipeline': pipeline})


def join_ground_truth(
    predictions: Sequence[Mapping], dataset: BaseDetDataset, path: str | Path
) -> Iterator[dict]:
    """Join the predictions of every image with its ground truth, by the images' files.

    Args:
        predictions: Of these images, in any order, and maybe of others.
        dataset: Loads the ground truth.
        path: File of the predictions, for messages.

    Returns:
        Samples as metrics receive them, in the order of the data set.

    Raises:
        UserError: If an image has no predictions, or twice, or these are of another size.
    """
    infos = [dataset.get_data_info(index) for index in range(len(dataset))]
    root = dataset.data_root or ''
    index = PredictionIndex(predictions, path)
    samples = [index.find(info, root) for info in infos]
    found = [sample for sample in samples if sample is not None]
    source = dataset.ann_file or root
    lacking = [info for info, one in zip(infos, samples) if one is None]
    if lacking:
        other = index.example(lacking[0], root) if len(lacking) == len(infos) else ''
        raise UserError(
            f'{path} has predictions for {len(infos) - len(lacking)} of the {len(infos)} photos '
            f'of {source}, but no predictions for photo {image_name(lacking[0])} of this split '
            f'({lacking[0]["img_path"]}){other}: {remedy_of(path)}, or choose another '
            '--split.'
        )
    _require_sizes(infos, found, source, path)
    _require_one_each(infos, found, path)
    _require_pixels(infos, found, path)
    return (_joined(sample, dataset[number]) for number, sample in enumerate(found))


def _require_sizes(
    infos: Sequence[Mapping], found: Sequence[Mapping], source: str, path: str | Path
) -> None:
    """Predictions of an image of another size are of another image."""
    for info, sample in zip(infos, found):
        given = tuple(sample.get('ori_shape') or ())[:2]
        own = tuple(info[name] for name in ('height', 'width') if name in info)
        if given and own and tuple(map(int, given)) != tuple(map(int, own)):
            raise UserError(
                f'{path} has predictions for photo {image_name(sample)} with {given[1]} x '
                f'{given[0]} pixels, but in {source} it has {own[1]} x {own[0]}, so that they are '
                f'of another photo: {remedy_of(path)}.'
            )


def _require_pixels(infos: Sequence[Mapping], found: Sequence[Mapping], path: str | Path) -> None:
    """Boxes lie in their images, and not all in the first pixel, as fractions do."""
    layout = '[x, y, width, height]' if Path(path).suffix.lower() == '.json' else 'x1, y1, x2, y2'
    advice = f'write {layout} in pixels of the photo, or {remedy_of(path)}'
    filled, small = 0, []
    for info, sample in zip(infos, found):
        boxes = boxes_of(sample['pred_instances'])
        size = [info[name] for name in ('height', 'width') if name in info]
        size = size or list(sample.get('ori_shape') or ())[:2]
        if not len(boxes) or not size:
            continue
        beyond = box_excess(boxes, size)
        # photos that were scaled with rounded sides give boxes that exceed them a little
        if beyond.max() > max(1.5, max(size) / 100):
            raise UserError(
                f'In {path} photo {image_name(sample)} has the box '
                f'{box_text(boxes[beyond.argmax()])} (x1, y1, x2, y2), which reaches beyond its '
                f'{size[1]} x {size[0]} pixels: {advice}.'
            )
        filled += 1
        if boxes.max() <= 1 and min(size) > 4:
            small.append(sample)
    fractions = any((boxes_of(sample['pred_instances']) % 1).any() for sample in small)
    if fractions and len(small) > filled / 10:
        raise UserError(
            f'In {path} all boxes of {len(small)} of {filled} photos (such as '
            f'{image_name(small[0])}) lie in the first pixel, as fractions of the photo do: '
            f'{advice}.'
        )


def _require_one_each(
    infos: Sequence[Mapping], found: Sequence[Mapping], path: str | Path
) -> None:
    owners: dict[int, Mapping] = {}
    for info, sample in zip(infos, found):
        other = owners.setdefault(id(sample), info)
        if other is not info and other['img_path'] != info['img_path']:
            raise UserError(
                f'The predictions for photo {image_name(sample)} in {path} could be those of '
                f'{other["img_path"]} and of {info["img_path"]}: name photos in it relative to '
                'the folder of the data set.'
            )


def _joined(sample: Mapping, loaded: Mapping) -> dict:
    gt = loaded['data_samples'].to_dict()
    return {**{name: one for name, one in sample.items() if not name.startswith('gt_')}, **gt}


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
        dataset = load_ground_truth(part['dataloader']['dataset'])
        evaluator = Evaluator(list(part['evaluator']))
        evaluator.dataset_meta = dataset.metainfo
        predictions = read_predictions(path, dataset.metainfo['classes'])
        samples = join_ground_truth(predictions, dataset, path)
        metrics = evaluator.offline_evaluate(samples) | metrics
        evaluators.append(evaluator)
    return metrics, tables_of(evaluators)


def tables_of(evaluators: Sequence[Evaluator]) -> list[ClassTable]:
    """Get the tables of classes that evaluations logged."""
    metrics = [metric for evaluator in evaluators for metric in evaluator.metrics]
    return [table for one in metrics if isinstance(one, ImageMetric) for table in one.tables]
