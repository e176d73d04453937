"""Average precision and best overlap as in PASCAL VOC, for boxes and masks."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np

AP_MODES = ('area', '11points')


def require_ap_mode(mode: str) -> str:
    """Check the name of a mode of :func:`average_precision`, and return it.

    Args:
        mode: The name.

    Raises:
        ValueError: If it is unknown.
    """
    if mode not in AP_MODES:
        raise ValueError(f'The mode of average precision must be of {AP_MODES}, not {mode!r}')
    return mode


def average_precision(hits: np.ndarray, num_gt: int, mode: str = 'area') -> float:
    """Average precision of the ranked predictions of one class.

    Args:
        hits: [N] bool, best score first: whether each prediction is a true positive.
            Predictions that count neither way must be left out.
        num_gt: Number of ground-truth objects.
        mode: ``'area'`` under the precision envelope (VOC 2010 and later) or ``'11points'``,
            the mean of the envelope at recalls 0, .1, ..., 1 (VOC 2007).

    Returns:
        A value in 0..1; nan if ``num_gt`` is 0, since nothing is measured.

    Raises:
        ValueError: If ``mode`` is unknown.

    Source: Everingham et al., The PASCAL VOC challenge, IJCV 2010, section 4.2; its devkit's
    ``VOCevaldet.m`` and ``VOCap.m``. The recall points are ``np.arange(0, 1.1, .1)``, as in
    py-faster-rcnn and chainercv, so that equal curves give equal figures.

    Examples:
        >>> average_precision(np.array([True, False, True]), num_gt=2)
        0.8333333333333333
    """
    require_ap_mode(mode)
    if num_gt == 0:
        return float('nan')
    hits = np.asarray(hits, dtype=bool)
    found = np.cumsum(hits)
    recall = found / num_gt
    precision = found / np.arange(1, len(hits) + 1)
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    if mode == 'area':
        # recall rises by 1 / num_gt at each hit and is constant elsewhere
        return float(envelope[hits].sum() / num_gt)
    reached = np.searchsorted(recall, np.arange(0, 1.1, 0.1), side='left')
    return float(np.append(envelope, 0.0)[reached].mean())


def mean_over_valid(values: np.ndarray | Sequence[float]) -> float:
    """Mean over the entries that are not nan; nan if there is none.

    Args:
        values: Numbers of any shape; nan marks a class that does not occur.
    """
    values = np.asarray(values, dtype=float)
    valid = values[~np.isnan(values)]
    return float(valid.mean()) if valid.size else float('nan')


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
    difficult: np.ndarray | bool = False,
) -> ImageMatches:
    """Match each prediction of an image with the object of its class with the largest IoU.

    Args:
        labels: [P] integers.
        scores: [P] floats.
        gt_labels: [G] integers.
        ious: [P, G] overlaps.
        difficult: [G] bool, or one for all objects.
    """
    labels, gt_labels = np.asarray(labels, dtype=int), np.asarray(gt_labels, dtype=int)
    # one column more than objects, so that argmax also works in an image without any
    of_class = np.full((len(labels), len(gt_labels) + 1), -1.0)
    of_class[:, :-1] = np.where(labels[:, None] == gt_labels, ious, -1.0)
    return ImageMatches(
        labels=labels,
        scores=np.asarray(scores, dtype=np.float64),
        overlaps=of_class.max(axis=1),
        targets=of_class.argmax(axis=1),
        gt_labels=gt_labels,
        difficult=np.broadcast_to(np.asarray(difficult, dtype=bool), gt_labels.shape),
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
