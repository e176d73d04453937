"""Errors of a detector taken apart: what became of every true object."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .overlap import box_iou

# What can become of an object; every object has one outcome.
OUTCOMES = ('found', 'part', 'large', 'several', 'wrong_class', 'missed')
# What a prediction can be beside that.
SURPLUS = ('duplicate', 'background')


@dataclass(frozen=True)
class ImageBoxes:
    """Predictions and true objects of one image.

    Attributes:
        labels: [P] class of each prediction.
        scores: [P].
        bboxes: [P, 4] xyxy, inclusive pixels.
        true_labels: [G].
        true_bboxes: [G, 4].
        difficult: [G] bool, objects that count neither when found nor when missed.
    """

    labels: np.ndarray
    scores: np.ndarray
    bboxes: np.ndarray
    true_labels: np.ndarray
    true_bboxes: np.ndarray
    difficult: np.ndarray


@dataclass(frozen=True)
class ImageErrors:
    """What became of one image's objects and predictions.

    Attributes:
        outcomes: [G] index into ``OUTCOMES``; -1 for difficult objects.
        culprits: [G] index of the prediction that the outcome is due to, -1 without.
        surplus: [P] index into ``SURPLUS``, -1 for predictions that are neither.
    """

    outcomes: np.ndarray
    culprits: np.ndarray
    surplus: np.ndarray


def leading(images: Sequence[ImageBoxes], num_classes: int) -> list[np.ndarray]:
    """Choose the predictions to look at: as many of each class, the best, as there are objects.

    So a method can not hide its errors behind a threshold (Hoiem et al., Diagnosing error in
    object detectors, ECCV 2012, take such a number too).

    Args:
        images: Of the data set.
        num_classes: C.

    Returns:
        For each image [P] bool.
    """
    if not images:
        return []
    labels = np.concatenate([image.labels for image in images]).astype(int)
    scores = np.concatenate([image.scores for image in images])
    true = np.concatenate([image.true_labels[~image.difficult] for image in images]).astype(int)
    wanted = np.bincount(true, minlength=num_classes)
    order = np.lexsort((np.arange(len(labels)), -scores, labels))
    first = np.searchsorted(labels[order], labels[order])
    kept: np.ndarray = np.zeros(len(labels), dtype=bool)
    kept[order] = np.arange(len(labels)) - first < wanted[labels[order]]
    return np.split(kept, np.cumsum([len(image.labels) for image in images])[:-1])


def judge_image(image: ImageBoxes, iou_thr: float = 0.5, touch: float = 0.1) -> ImageErrors:
    """Tell what became of the objects of one image.

    By falling score each prediction claims the object of its class that it overlaps most; the
    first claim of at least ``iou_thr`` finds it, further ones are duplicates. An object that is
    not found is judged by the wrong prediction of its class that overlaps it most, by
    ``touch`` at least: ``several`` where that holds half of two or more objects of the class,
    else ``part`` where it is smaller than the object and ``large`` where it is larger. Without
    such a one it is ``wrong_class`` where a prediction of another class overlaps it by
    ``iou_thr``, else ``missed``. A prediction that touches no object of its class, and is not
    the culprit of a ``wrong_class``, is ``background``.

    Args:
        image: With the predictions to look at.
        iou_thr: Least IoU of a find.
        touch: Least IoU of a prediction that meant the object.
    """
    count = len(image.labels)
    outcomes: np.ndarray = np.full(len(image.true_labels), -1)
    culprits, surplus = outcomes.copy(), np.full(count, -1)
    iou = box_iou(image.bboxes, image.true_bboxes)
    same = image.labels[:, None] == image.true_labels
    own = np.where(same, iou, 0.0)
    free: np.ndarray = np.ones(count, dtype=bool)
    for index in np.argsort(-image.scores, kind='stable') if len(outcomes) else ():
        target = own[index].argmax()
        if own[index, target] < iou_thr:
            continue
        free[index] = False
        if image.difficult[target]:
            continue
        if culprits[target] >= 0:
            surplus[index] = SURPLUS.index('duplicate')
        else:
            outcomes[target], culprits[target] = OUTCOMES.index('found'), index
    wrong = np.where(free[:, None], own, 0.0)
    confused = np.where(free[:, None] & ~same, iou, 0.0)
    for target in np.flatnonzero((outcomes < 0) & ~image.difficult):
        name, culprit = _outcome(image, wrong, confused, target, iou_thr, touch)
        outcomes[target], culprits[target] = OUTCOMES.index(name), culprit
    idle = free & ~np.isin(np.arange(count), culprits) & (own.max(1, initial=0.0) < touch)
    surplus[idle] = SURPLUS.index('background')
    return ImageErrors(outcomes, culprits, surplus)


def _outcome(
    image: ImageBoxes,
    wrong: np.ndarray,
    confused: np.ndarray,
    target: int,
    iou_thr: float,
    touch: float,
) -> tuple[str, int]:
    """Outcome of an object that is not found, and the prediction that it is due to."""
    if wrong[:, target].max(initial=0.0) >= touch:
        culprit = int(wrong[:, target].argmax())
        box = image.bboxes[culprit]
        family = image.true_bboxes[image.true_labels == image.true_labels[target]]
        if (covered_share(family, box) >= 0.5).sum() >= 2:
            return 'several', culprit
        smaller = _areas(box[None])[0] < _areas(image.true_bboxes[target][None])[0]
        return ('part' if smaller else 'large'), culprit
    if confused[:, target].max(initial=0.0) >= iou_thr:
        return 'wrong_class', int(confused[:, target].argmax())
    return 'missed', -1


def _areas(bboxes: np.ndarray) -> np.ndarray:
    return (bboxes[:, 2:] - bboxes[:, :2] + 1).clip(0).prod(1)


def covered_share(bboxes: np.ndarray, box: np.ndarray) -> np.ndarray:
    """Share [G] of each of the boxes [G, 4] that lies in the box [4], in inclusive pixels."""
    low, high = np.maximum(bboxes[:, :2], box[:2]), np.minimum(bboxes[:, 2:], box[2:])
    return (high - low + 1).clip(0).prod(1) / _areas(bboxes).clip(1e-9)


def pick(image: ImageBoxes, kept: np.ndarray) -> ImageBoxes:
    """The image with those predictions [P] bool alone."""
    return ImageBoxes(
        image.labels[kept],
        image.scores[kept],
        image.bboxes[kept],
        image.true_labels,
        image.true_bboxes,
        image.difficult,
    )


def error_taxonomy(
    images: Sequence[ImageBoxes], num_classes: int, iou_thr: float = 0.5, touch: float = 0.1
) -> dict[str, float]:
    """Shares of outcomes over all objects that are not difficult.

    Args:
        images: Of the data set, with all predictions.
        num_classes: C.
        iou_thr: See :func:`judge_image`.
        touch: See :func:`judge_image`.

    Returns:
        A share of the objects for each of ``OUTCOMES``, together 1, and for each of ``SURPLUS``
        the number of such predictions for each object; nan without objects.
    """
    kept = leading(images, num_classes)
    judged = [judge_image(pick(*pair), iou_thr, touch) for pair in zip(images, kept)]
    outcomes = np.concatenate([np.zeros(0, dtype=int), *(one.outcomes for one in judged)])
    surplus = np.concatenate([np.zeros(0, dtype=int), *(one.surplus for one in judged)])
    total = (outcomes >= 0).sum()
    counts = {name: (outcomes == index).sum() for index, name in enumerate(OUTCOMES)}
    counts |= {name: (surplus == index).sum() for index, name in enumerate(SURPLUS)}
    return {name: float(n / total) if total else float('nan') for name, n in counts.items()}
