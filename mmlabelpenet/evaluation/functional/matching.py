"""Matching of predictions with ground-truth objects, for boxes and masks."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np

from .average_precision import average_precision


@dataclass(frozen=True)
class ImageMatches:
    """Matches of one image with P predictions and G objects, the input of all VOC figures.

    The object that a prediction claims does not depend on the IoU threshold, so one such record
    serves every threshold, and neither boxes nor masks are kept.

    Attributes:
        labels: [P] class of each prediction.
        scores: [P] score of each prediction.
        overlaps: [P] its best IoU with an object of its class, -1 if there is none.
        targets: [P] index of that object in 0..G-1, meaningless if there is none.
        gt_labels: [G] class of each object.
        difficult: [G] bool, objects that count neither when found nor when missed.
        best_overlaps: [G] best IoU over the predictions of the object's class, 0 without.
    """

    labels: np.ndarray
    scores: np.ndarray
    overlaps: np.ndarray
    targets: np.ndarray
    gt_labels: np.ndarray
    difficult: np.ndarray
    best_overlaps: np.ndarray


def match_image(
    labels: np.ndarray,
    scores: np.ndarray,
    gt_labels: np.ndarray,
    ious: np.ndarray,
    difficult: np.ndarray | None = None,
) -> ImageMatches:
    """Match each prediction of an image with the object of its class with the largest IoU.

    Args:
        labels: [P] integers.
        scores: [P] floats.
        gt_labels: [G] integers.
        ious: [P, G] overlaps.
        difficult: [G] bool; None means that no object is difficult.
    """
    labels, gt_labels = np.asarray(labels, dtype=int), np.asarray(gt_labels, dtype=int)
    if difficult is None:
        difficult = np.zeros(len(gt_labels), dtype=bool)
    # one column more than objects, so that argmax also works in an image without any
    of_class = np.full((len(labels), len(gt_labels) + 1), -1.0)
    of_class[:, :-1] = np.where(labels[:, None] == gt_labels, ious, -1.0)
    return ImageMatches(
        labels=labels,
        scores=np.asarray(scores, dtype=np.float64),
        overlaps=of_class.max(axis=1),
        targets=of_class.argmax(axis=1),
        gt_labels=gt_labels,
        difficult=np.asarray(difficult, dtype=bool),
        best_overlaps=of_class[:, :-1].max(axis=0, initial=0.0),
    )


def _pool(images: Sequence[ImageMatches]) -> ImageMatches:
    """Join images, predictions ranked by score; equal scores keep the images' order."""
    starts = np.cumsum([0] + [len(image.gt_labels) for image in images])
    shifted = [
        replace(image, targets=image.targets + start) for image, start in zip(images, starts)
    ]
    columns = {
        field.name: np.concatenate([getattr(image, field.name) for image in shifted])
        for field in fields(ImageMatches)
    }
    order = np.argsort(-columns['scores'], kind='stable')
    for name in ('labels', 'scores', 'overlaps', 'targets'):
        columns[name] = columns[name][order]
    return ImageMatches(**columns)


def _true_positives(pooled: ImageMatches, iou_thr: float) -> tuple[np.ndarray, np.ndarray]:
    """Find the true positives among ranked predictions [N], and the predictions that count."""
    near = np.flatnonzero(pooled.overlaps >= iou_thr)
    on_difficult = pooled.difficult[pooled.targets[near]]
    counted: np.ndarray = np.ones(len(pooled.labels), dtype=bool)
    counted[near[on_difficult]] = False
    claims = near[~on_difficult]
    # the first prediction that claims an object finds it, any later one is a false positive
    _, first = np.unique(pooled.targets[claims], return_index=True)
    hits: np.ndarray = np.zeros(len(pooled.labels), dtype=bool)
    hits[claims[first]] = True
    return hits, counted


def per_class_average_precision(
    images: Sequence[ImageMatches],
    num_classes: int,
    iou_thrs: Sequence[float],
    mode: str = 'area',
) -> dict[str, np.ndarray]:
    """Average precision and recall of every class at every IoU threshold.

    Args:
        images: One record per image, in the order of the data set.
        num_classes: C.
        iou_thrs: T thresholds; an overlap equal to the threshold suffices.
        mode: See :func:`average_precision`.

    Returns:
        ``ap`` and ``recall`` [T, C], nan for classes without an object that is not
        difficult; ``num_gt`` and ``num_predictions`` [C].

    Source: VOC's ``VOCevaldet.m`` for boxes; for masks the same procedure, which is that of
    chainercv's ``eval_instance_segmentation_voc`` (after Hariharan et al., SDS, ECCV 2014):
    predictions are ranked by score over all images, and each object is found once, by the first
    prediction that claims it with a sufficient overlap.
    """
    ap = np.full((len(iou_thrs), num_classes), np.nan)
    recall = ap.copy()
    if not images:
        zeros: np.ndarray = np.zeros(num_classes, dtype=int)
        return {'ap': ap, 'recall': recall, 'num_gt': zeros, 'num_predictions': zeros}
    pooled = _pool(images)
    num_gt = np.bincount(pooled.gt_labels[~pooled.difficult], minlength=num_classes)
    for row, iou_thr in enumerate(iou_thrs):
        hits, counted = _true_positives(pooled, iou_thr)
        for label in np.flatnonzero(num_gt[:num_classes]):
            ranked = hits[counted & (pooled.labels == label)]
            ap[row, label] = average_precision(ranked, num_gt[label], mode)
            recall[row, label] = ranked.sum() / num_gt[label]
    num_predictions = np.bincount(pooled.labels, minlength=num_classes)
    return {'ap': ap, 'recall': recall, 'num_gt': num_gt, 'num_predictions': num_predictions}


def per_class_best_overlap(images: Sequence[ImageMatches], num_classes: int) -> np.ndarray:
    """Average best overlap (ABO) of every class.

    Args:
        images: One record per image.
        num_classes: C.

    Returns:
        [C] mean over the objects of a class that are not difficult of the best IoU of any
        prediction of the class, whatever its score; nan for classes without objects.

    Source: Pont-Tuset and Van Gool, Boosting object proposals, ICCV 2015, reported for
    instances by PRM (Zhou et al., CVPR 2018).
    """
    if not images:
        return np.full(num_classes, np.nan)
    pooled = _pool(images)
    kept = ~pooled.difficult
    labels, best = pooled.gt_labels[kept], pooled.best_overlaps[kept]
    total = np.bincount(labels, weights=best, minlength=num_classes)
    count = np.bincount(labels, minlength=num_classes)
    return np.divide(total, count, out=np.full(num_classes, np.nan), where=count > 0)
