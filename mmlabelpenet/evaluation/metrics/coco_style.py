"""COCO's average precision, through pycocotools."""

import contextlib
import io
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from mmlabelpenet.registry import METRICS
from mmlabelpenet.utils import mask_areas

from ..functional import mean_over_valid, to_rles
from .base import ImageMetric, boxes_of, gt_instances_of, labels_of, masks_of, to_numpy

KINDS = ('bbox', 'segm')
# names of pycocotools' first nine summary figures, after bbox_ or segm_
SUMMARY = ('mAP', 'mAP_50', 'mAP_75', 'mAP_s', 'mAP_m', 'mAP_l', 'AR_1', 'AR_10', 'AR_100')
# of one image by kind: COCO annotations, without ids, of the ground truth and of predictions
Annotations: TypeAlias = dict[str, tuple[list[dict], list[dict]]]


@METRICS.register_module()
class COCOStyleMetric(ImageMetric):
    """COCO's average precision and recall of boxes and masks: IoU .5 to .95, sizes, 100 an image.

    Gives ``coco_bbox_mAP``, ``_mAP_50``, ``_mAP_75``, ``_mAP_s``, ``_mAP_m``, ``_mAP_l``,
    ``coco_bbox_AR_1``, ``_AR_10``, ``_AR_100`` and the same of ``coco_segm``, as pycocotools
    computes them; nan where it gives -1 because there are no objects.

    Boxes are those of ``gt_instances``; difficult ones (``ignored_instances``) are COCO's crowds,
    as in mmdet. Masks are those of ``gt_mask_instances``. The area of a box is that of the box,
    that of a mask is its number of pixels. If the boxes of the data set are inclusive, so are
    all widths, also of predicted boxes, as in :class:`VOCDetectionMetric`.

    Args:
        kinds: ``'bbox'``, ``'segm'`` or both; by default boxes, and masks if the tested
            stage makes masks and the images have ground-truth masks.
        **kwargs: See :class:`ImageMetric`.
    """

    def __init__(self, kinds: Sequence[str] | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not set(kinds or ()) <= set(KINDS):
            raise ValueError(f'kinds must be of {KINDS}, but they are {kinds}')
        self.kinds = None if kinds is None else tuple(kinds)

    def measure(self, data_sample: Mapping[str, Any]) -> Annotations:
        """Convert the objects of one image to COCO annotations.

        Raises:
            UserError: If masks are asked for, see :func:`masks_of`.
        """
        predicted = data_sample['pred_instances']
        labels, scores = labels_of(predicted), to_numpy(predicted['scores']).tolist()
        record: Annotations = {}
        if self._wants('bbox', data_sample):
            boxes = self._box_annotations(labels, self.predicted_boxes(data_sample))
            record['bbox'] = self._gt_boxes(data_sample), _scored(boxes, scores)
        if self._wants('segm', data_sample):
            masks, gt_masks = masks_of(data_sample)
            # kept for further metrics
            predicted['masks'] = to_rles(masks)
            gt = _mask_annotations(labels_of(data_sample['gt_mask_instances']), gt_masks)
            record['segm'] = gt, _scored(_mask_annotations(labels, predicted['masks']), scores)
        return record

    def _wants(self, kind: str, data_sample: Mapping[str, Any]) -> bool:
        if self.kinds is not None:
            return kind in self.kinds
        has_masks = 'masks' in data_sample['pred_instances']
        return kind == 'bbox' or (has_masks and 'gt_mask_instances' in data_sample)

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

    def _gt_boxes(self, data_sample: Mapping[str, Any]) -> list[dict]:
        plain, difficult = (
            self._box_annotations(labels_of(part), boxes_of(part))
            for part in (gt_instances_of(data_sample), data_sample.get('ignored_instances'))
        )
        return [*plain, *({**one, 'iscrowd': 1} for one in difficult)]

    def compute_metrics(self, results: list[Annotations]) -> dict[str, float]:
        """Let pycocotools evaluate boxes, and masks if all images have them."""
        figures: dict[str, float] = {}
        for kind in KINDS:
            if not results or not all(kind in one for one in results):
                continue
            gt, predicted = zip(*(one[kind] for one in results))
            evaluated = evaluate_coco(gt, predicted, len(self.classes), kind)
            summary = np.where(evaluated.stats < 0, np.nan, evaluated.stats).tolist()
            figures |= {f'coco_{kind}_{name}': one for name, one in zip(SUMMARY, summary)}
            self.log_table(f'{kind}, COCO', _columns(evaluated))
        return figures


def evaluate_coco(
    gt: Sequence[Sequence[dict]],
    predicted: Sequence[Sequence[dict]],
    num_classes: int,
    kind: str,
) -> COCOeval:
    """Run pycocotools on images' annotations, without files and without its prints.

    Args:
        gt: For each image its COCO annotations, without ids.
        predicted: For each image its results, likewise.
        num_classes: Categories are 0, 1, ....
        kind: ``'bbox'`` or ``'segm'``.

    Returns:
        The evaluation, accumulated and summarised.
    """
    with contextlib.redirect_stdout(io.StringIO()):
        evaluation = COCOeval(_index(gt, num_classes), _index(predicted, num_classes), kind)
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return evaluation


def _index(images: Sequence[Sequence[dict]], num_classes: int) -> COCO:
    """Make a COCO data set of images 0, 1, ...; ids count from 1, since 0 means unmatched."""
    coco = COCO()
    flat = [{**one, 'image_id': index} for index, image in enumerate(images) for one in image]
    coco.dataset = {
        # pycocotools reads the sizes, though run lengths have their own
        'images': [{'id': index, 'height': 0, 'width': 0} for index in range(len(images))],
        'annotations': [{**one, 'id': number} for number, one in enumerate(flat, start=1)],
        'categories': [{'id': label} for label in range(num_classes)],
    }
    coco.createIndex()
    return coco


def _mask_annotations(labels: np.ndarray, rles: Sequence[dict]) -> list[dict]:
    areas = mask_areas(rles)
    return [
        {'category_id': int(label), 'segmentation': rle, 'area': float(area), 'iscrowd': 0}
        for label, rle, area in zip(labels, rles, areas)
    ]


def _scored(annotations: list[dict], scores: list[float]) -> list[dict]:
    return [{**one, 'score': score} for one, score in zip(annotations, scores)]


def _columns(evaluated: COCOeval) -> dict[str, np.ndarray]:
    """Per class AP over all thresholds, at .5 and at .75, and AR of 100 predictions an image."""
    # [threshold, recall, class, area, most], of all areas and most predictions
    precision = evaluated.eval['precision'][:, :, :, 0, -1]
    recall = evaluated.eval['recall'][:, :, 0, -1]
    thresholds = evaluated.params.iouThrs
    rows = {'AP': slice(None)}
    rows |= {f'AP@{thr:g}': np.isclose(thresholds, thr) for thr in (0.5, 0.75)}
    columns = {name: _class_means(np.moveaxis(precision[row], 2, 0)) for name, row in rows.items()}
    return columns | {'AR': _class_means(recall.T)}


def _class_means(values: np.ndarray) -> np.ndarray:
    """Mean [C] of values [C, ...], without the -1 that stand for no objects."""
    return np.array([mean_over_valid(np.where(one < 0, np.nan, one)) for one in values])
