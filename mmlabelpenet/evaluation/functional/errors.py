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
class PhotoBoxes:
    """Predictions and true objects of one photo.

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
class PhotoErrors:
    """What became of one photo's objects and predictions.

    Attributes:
        outcomes: [G] index into ``OUTCOMES``; -1 for difficult objects.
        culprits: [G] index of the prediction that the outcome is due to, -1 without.
        surplus: [P] index into ``SURPLUS``, -1 for predictions that are neither.
    """

    outcomes: np.ndarray
    culprits: np.ndarray
    surplus: np.ndarray


def leading(photos: Sequence[PhotoBoxes], num_classes: int) -> list[np.ndarray]:
    """Choose the predictions to look at: as many of each class, the best, as there are objects.

    So a method can not hide its errors behind a threshold (Hoiem et al., Diagnosing error in
    object detectors, ECCV 2012, take such a number too).

    Args:
        photos: Of the data set.
        num_classes: C.

    Returns:
        For each photo [P] bool.
    """
    if not photos:
        return []
    labels = np.concatenate([photo.labels for photo in photos]).astype(int)
    scores = np.concatenate([photo.scores for photo in photos])
    true = np.concatenate([photo.true_labels[~photo.difficult] for photo in photos]).astype(int)
    wanted = np.bincount(true, minlength=num_classes)
    order = np.lexsort((np.arange(len(labels)), -scores, labels))
    first = np.searchsorted(labels[order], labels[order])
    kept: np.ndarray = np.zeros(len(labels), dtype=bool)
    kept[order] = np.arange(len(labels)) - first < wanted[labels[order]]
    return np.split(kept, np.cumsum([len(photo.labels) for photo in photos])[:-1])


def judge_photo(photo: PhotoBoxes, iou_thr: float = 0.5, touch: float = 0.1) -> PhotoErrors:
    """Tell what became of the objects of one photo.

    By falling score each prediction claims the object of its class that it overlaps most; the
    first claim of at least ``iou_thr`` finds it, further ones are duplicates. An object that is
    not found is judged by the wrong prediction of its class that overlaps it most, by
    ``touch`` at least: ``several`` where that holds half of two or more objects of the class,
    else ``part`` where it is smaller than the object and ``large`` where it is larger. Without
    such a one it is ``wrong_class`` where a prediction of another class overlaps it by
    ``iou_thr``, else ``missed``. A prediction that touches no object of its class, and is not
    the culprit of a ``wrong_class``, is ``background``.

    Args:
        photo: With the predictions to look at.
        iou_thr: Least IoU of a find.
        touch: Least IoU of a prediction that meant the object.
    """
    count = len(photo.labels)
    outcomes: np.ndarray = np.full(len(photo.true_labels), -1)
    culprits, surplus = outcomes.copy(), np.full(count, -1)
    iou = box_iou(photo.bboxes, photo.true_bboxes)
    same = photo.labels[:, None] == photo.true_labels
    own = np.where(same, iou, 0.0)
    free: np.ndarray = np.ones(count, dtype=bool)
    for index in np.argsort(-photo.scores, kind='stable') if len(outcomes) else ():
        target = own[index].argmax()
        if own[index, target] < iou_thr:
            continue
        free[index] = False
        if photo.difficult[target]:
            continue
        if culprits[target] >= 0:
            surplus[index] = SURPLUS.index('duplicate')
        else:
            outcomes[target], culprits[target] = OUTCOMES.index('found'), index
    wrong = np.where(free[:, None], own, 0.0)
    confused = np.where(free[:, None] & ~same, iou, 0.0)
    for target in np.flatnonzero((outcomes < 0) & ~photo.difficult):
        name, culprit = _outcome(photo, wrong, confused, target, iou_thr, touch)
        outcomes[target], culprits[target] = OUTCOMES.index(name), culprit
    idle = free & ~np.isin(np.arange(count), culprits) & (own.max(1, initial=0.0) < touch)
    surplus[idle] = SURPLUS.index('background')
    return PhotoErrors(outcomes, culprits, surplus)


def _outcome(
    photo: PhotoBoxes,
    wrong: np.ndarray,
    confused: np.ndarray,
    target: int,
    iou_thr: float,
    touch: float,
) -> tuple[str, int]:
    """Outcome of an object that is not found, and the prediction that it is due to."""
    if wrong[:, target].max(initial=0.0) >= touch:
        culprit = int(wrong[:, target].argmax())
        box = photo.bboxes[culprit]
        family = photo.true_bboxes[photo.true_labels == photo.true_labels[target]]
        if (covered_share(family, box) >= 0.5).sum() >= 2:
            return 'several', culprit
        smaller = _areas(box[None])[0] < _areas(photo.true_bboxes[target][None])[0]
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


def pick(photo: PhotoBoxes, kept: np.ndarray) -> PhotoBoxes:
    """The photo with those predictions [P] bool alone."""
    return PhotoBoxes(
        photo.labels[kept],
        photo.scores[kept],
        photo.bboxes[kept],
        photo.true_labels,
        photo.true_bboxes,
        photo.difficult,
    )


def error_taxonomy(
    photos: Sequence[PhotoBoxes], num_classes: int, iou_thr: float = 0.5, touch: float = 0.1
) -> dict[str, float]:
    """Shares of outcomes over all objects that are not difficult.

    Args:
        photos: Of the data set, with all predictions.
        num_classes: C.
        iou_thr: See :func:`judge_photo`.
        touch: See :func:`judge_photo`.

    Returns:
        A share of the objects for each of ``OUTCOMES``, together 1, and for each of ``SURPLUS``
        the number of such predictions for each object; nan without objects.
    """
    kept = leading(photos, num_classes)
    judged = [judge_photo(pick(*pair), iou_thr, touch) for pair in zip(photos, kept)]
    outcomes = np.concatenate([np.zeros(0, dtype=int), *(one.outcomes for one in judged)])
    surplus = np.concatenate([np.zeros(0, dtype=int), *(one.surplus for one in judged)])
    total = (outcomes >= 0).sum()
    counts = {name: (outcomes == index).sum() for index, name in enumerate(OUTCOMES)}
    counts |= {name: (surplus == index).sum() for index, name in enumerate(SURPLUS)}
    return {name: float(n / total) if total else float('nan') for name, n in counts.items()}
