"""COCO's average precision, through pycocotools."""

import contextlib
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from pycocotools import mask as mask_api
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from mmlabelpenet.registry import METRICS

from ..functional import mean_over_valid, to_rles
from .base import ImageMetric, boxes_of, labels_of, masks_of, to_numpy

KINDS = ('bbox', 'segm')
# names of pycocotools' first nine summary figures, after bbox_ or segm_
SUMMARY = ('mAP', 'mAP_50', 'mAP_75', 'mAP_s', 'mAP_m', 'mAP_l', 'AR_1', 'AR_10', 'AR_100')


@dataclass(frozen=True)
class Annotated:
    """Of one image: COCO annotations by kind, without ids; ``segm`` only where there are masks."""

    true: dict[str, list[dict]] = field(default_factory=dict)
    predicted: dict[str, list[dict]] = field(default_factory=dict)


@METRICS.register_module()
class COCOStyleMetric(ImageMetric):
    """COCO's average precision and recall of boxes and masks: IoU .5 to .95, sizes, 100 an image.

    Gives ``coco_bbox_mAP``, ``_mAP_50``, ``_mAP_75``, ``_mAP_s``, ``_mAP_m``, ``_mAP_l``,
    ``coco_bbox_AR_1``, ``_AR_10``, ``_AR_100`` and the same of ``coco_segm``, as pycocotools
    computes them; nan where it says -1 for nothing to find.

    Boxes are those of ``gt_instances``; difficult ones (``ignored_instances``) are COCO's crowds,
    as in mmdet. Masks are those of ``gt_mask_instances``. A box's area is that of the box,
    a mask's that of its pixels. Where the data set's boxes hold their last pixel, widths are
    counted with it, of predicted boxes too, as in :class:`VOCDetectionMetric`.

    Args:
        kinds: ``'bbox'``, ``'segm'`` or both; by default boxes, and masks where the tested
            stage makes masks and images have true ones.
        collect_device: See :class:`ImageMetric`.
        prefix: See :class:`ImageMetric`.
    """

    def __init__(
        self,
        kinds: Sequence[str] | None = None,
        collect_device: str = 'cpu',
        prefix: str | None = None,
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        unknown = sorted(set(kinds or ()) - set(KINDS))
        if unknown:
            raise ValueError(f'kinds must be of {KINDS}, but there is {unknown[0]!r}')
        self.kinds = None if kinds is None else tuple(kinds)

    def measure(self, data_sample: Mapping[str, Any]) -> Annotated:
        """Write down the objects of one image as COCO annotations.

        Raises:
            UserError: If masks are asked for, see :func:`masks_of`.
        """
        predicted = data_sample['pred_instances']
        scores = to_numpy(predicted['scores']).tolist()
        record = Annotated()
        if self._wants('bbox', data_sample):
            record.true['bbox'] = self._true_boxes(data_sample)
            record.predicted['bbox'] = _scored(
                self._box_annotations(labels_of(predicted), self.predicted_boxes(data_sample)),
                scores,
            )
        if self._wants('segm', data_sample):
            masks, true_masks = masks_of(data_sample)
            labels = labels_of(data_sample['gt_mask_instances'])
            record.true['segm'] = _mask_annotations(labels, true_masks)
            found = _mask_annotations(labels_of(predicted), masks)
            record.predicted['segm'] = _scored(found, scores)
        return record

    def _wants(self, kind: str, data_sample: Mapping[str, Any]) -> bool:
        if self.kinds is not None:
            return kind in self.kinds
        there = 'masks' in data_sample['pred_instances'] and 'gt_mask_instances' in data_sample
        return kind == 'bbox' or there

    def _box_annotations(self, labels: np.ndarray, boxes: np.ndarray) -> list[dict]:
        boxes = boxes.astype(np.float64)
        sides = boxes[:, 2:] - boxes[:, :2] + (1.0 if self.inclusive_boxes else 0.0)
        return [
            {
                'category_id': int(label),
                'bbox': [*corner.tolist(), *side.tolist()],
                'area': float(side.prod()),
                'iscrowd': 0,
            }
            for label, corner, side in zip(labels, boxes[:, :2], sides)
        ]

    def _true_boxes(self, data_sample: Mapping[str, Any]) -> list[dict]:
        plain, difficult = (
            self._box_annotations(labels_of(part), boxes_of(part))
            for part in (data_sample['gt_instances'], data_sample.get('ignored_instances'))
        )
        return [*plain, *({**one, 'iscrowd': 1} for one in difficult)]

    def compute_metrics(self, results: list[Annotated]) -> dict[str, float]:
        """Let pycocotools evaluate boxes, and masks where all images have them."""
        kinds = [kind for kind in KINDS if results and all(kind in one.true for one in results)]
        figures: dict[str, float] = {}
        for kind in kinds:
            evaluated = evaluate_coco(
                [record.true[kind] for record in results],
                [record.predicted[kind] for record in results],
                len(self.classes),
                kind,
            )
            figures |= {
                f'coco_{kind}_{name}': _or_nan(value)
                for name, value in zip(SUMMARY, evaluated.stats)
            }
            self.log_table(f'{kind}, COCO', _columns(evaluated))
        return figures


def evaluate_coco(
    true: Sequence[Sequence[dict]],
    predicted: Sequence[Sequence[dict]],
    num_classes: int,
    kind: str,
) -> COCOeval:
    """Run pycocotools on images' annotations, without files and without its prints.

    Args:
        true: For each image its COCO annotations, without ids.
        predicted: For each image its results, likewise.
        num_classes: Categories are 0, 1, ....
        kind: ``'bbox'`` or ``'segm'``.

    Returns:
        The evaluation, accumulated and summarised.
    """
    with contextlib.redirect_stdout(io.StringIO()):
        evaluation = COCOeval(_index(true, num_classes), _index(predicted, num_classes), kind)
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return evaluation


def _index(images: Sequence[Sequence[dict]], num_classes: int) -> COCO:
    """A COCO data set of the images 0, 1, ...; ids count from 1, since 0 means unmatched."""
    coco = COCO()
    flat = [{**one, 'image_id': image} for image, photo in enumerate(images) for one in photo]
    coco.dataset = {
        # pycocotools asks for sizes, though RLE masks bring their own
        'images': [{'id': image, 'height': 0, 'width': 0} for image in range(len(images))],
        'annotations': [{**one, 'id': index} for index, one in enumerate(flat, start=1)],
        'categories': [{'id': label} for label in range(num_classes)],
    }
    coco.createIndex()
    return coco


def _mask_annotations(labels: np.ndarray, masks: Sequence[dict]) -> list[dict]:
    rles = to_rles(masks)
    areas = mask_api.area(rles) if rles else []
    return [
        {'category_id': int(label), 'segmentation': rle, 'area': float(area), 'iscrowd': 0}
        for label, rle, area in zip(labels, rles, areas)
    ]


def _scored(annotations: list[dict], scores: list[float]) -> list[dict]:
    return [{**one, 'score': score} for one, score in zip(annotations, scores)]


def _or_nan(value: float) -> float:
    return float('nan') if value < 0 else float(value)


def _columns(evaluated: COCOeval) -> dict[str, np.ndarray]:
    """Per class AP over all thresholds, at .5 and at .75, and AR of 100 predictions an image."""
    # [threshold, recall, class, area, most], of all areas and most predictions
    precision = evaluated.eval['precision'][:, :, :, 0, -1]
    recall = evaluated.eval['recall'][:, :, 0, -1]
    thresholds = evaluated.params.iouThrs
    precision = np.where(precision < 0, np.nan, precision)
    rows = {'AP': slice(None)}
    rows |= {f'AP@{thr:g}': np.isclose(thresholds, thr) for thr in (0.5, 0.75)}
    columns = {name: _class_means(np.moveaxis(precision[row], 2, 0)) for name, row in rows.items()}
    recall = np.where(recall < 0, np.nan, recall)
    return columns | {'AR': _class_means(recall.T)}


def _class_means(values: np.ndarray) -> np.ndarray:
    return np.array([mean_over_valid(of_class) for of_class in values])
