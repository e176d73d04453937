"""Error analysis of a detector: an outcome for every ground-truth object."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from mmlabelpenet.utils import box_areas, box_intersections, box_iou

# Outcomes of an object; every object has one.
OUTCOMES = ('found', 'part', 'large', 'several', 'wrong_class', 'missed')
# Kinds of predictions that are responsible for no outcome.
SURPLUS = ('duplicate', 'background')
# What each of them means, in words.
KINDS = {
    'found': 'found',
    'part': 'part of the object',
    'large': 'too large',
    'several': 'several objects in one box',
    'wrong_class': 'wrong class',
    'missed': 'missed',
    'duplicate': 'duplicate',
    'background': 'background',
}
# Minimum IoU of a found object, and of a prediction that is responsible for one.
IOU_THR, TOUCH_THR = 0.5, 0.1


@dataclass(frozen=True)
class ImageBoxes:
    """Predictions and ground-truth objects of one image.

    Attributes:
        labels: [P] class of each prediction.
        scores: [P].
        bboxes: [P, 4] xyxy, inclusive pixels.
        gt_labels: [G].
        gt_bboxes: [G, 4].
        difficult: [G] bool, objects that count neither when found nor when missed.
    """

    labels: np.ndarray
    scores: np.ndarray
    bboxes: np.ndarray
    gt_labels: np.ndarray
    gt_bboxes: np.ndarray
    difficult: np.ndarray

    def select(self, kept: np.ndarray) -> 'ImageBoxes':
        """The image with some of its predictions.

        Args:
            kept: [P] bool.
        """
        return replace(
            self, labels=self.labels[kept], scores=self.scores[kept], bboxes=self.bboxes[kept]
        )


@dataclass(frozen=True)
class ImageErrors:
    """Outcomes of one image's objects, and kinds of its surplus predictions.

    Attributes:
        outcomes: G of ``OUTCOMES``; empty for difficult objects.
        responsible_predictions: [G] index of the prediction that caused the outcome; -1 if
            there is none.
        surplus: P of ``SURPLUS``; empty for predictions that are neither.
    """

    outcomes: list[str]
    responsible_predictions: np.ndarray
    surplus: list[str]

    @property
    def predicted_kinds(self) -> list[str]:
        """For each of P predictions the outcome that it caused, or its ``surplus``."""
        kinds = list(self.surplus)
        for outcome, prediction in zip(self.outcomes, self.responsible_predictions):
            if prediction >= 0:
                kinds[prediction] = outcome
        return kinds


def top_predictions(images: Sequence[ImageBoxes], num_classes: int) -> list[np.ndarray]:
    """Select the best predictions of each class, as many as the class has objects.

    So a method cannot hide its errors behind a threshold. Source: Hoiem et al., Diagnosing
    error in object detectors, ECCV 2012, choose the number of predictions in the same way.

    Args:
        images: All images of the data set.
        num_classes: C.

    Returns:
        For each image [P] bool.
    """
    if not images:
        return []
    labels = np.concatenate([image.labels for image in images]).astype(int)
    scores = np.concatenate([image.scores for image in images])
    gt_labels = np.concatenate([image.gt_labels[~image.difficult] for image in images])
    num_gt = np.bincount(gt_labels.astype(int), minlength=num_classes)
    order = np.lexsort((np.arange(len(labels)), -scores, labels))
    first = np.searchsorted(labels[order], labels[order])
    kept: np.ndarray = np.zeros(len(labels), dtype=bool)
    kept[order] = np.arange(len(labels)) - first < num_gt[labels[order]]
    return np.split(kept, np.cumsum([len(image.labels) for image in images])[:-1])


def classify_errors(image: ImageBoxes) -> ImageErrors:
    """Classify the outcomes of one image's objects.

    By falling score each prediction claims the object of its class with which it has the largest
    IoU. The first claim of at least ``IOU_THR`` finds the object, further ones are duplicates.
    For an object that is not found, the wrong prediction of its class with the largest IoU, of
    at least ``TOUCH_THR``, is responsible: the outcome is ``several`` if the prediction covers
    half of two or more objects of the class, else ``part`` if it is smaller than the object and
    ``large`` if it is larger. Without such a prediction the outcome is ``wrong_class`` if a
    prediction of another class has an IoU of at least ``IOU_THR``, else ``missed``. A prediction
    is ``background`` if it touches no object of its class and is not responsible for a
    ``wrong_class``.

    Args:
        image: With the predictions to classify.
    """
    outcomes, surplus = [''] * len(image.gt_labels), [''] * len(image.labels)
    responsible: np.ndarray = np.full(len(outcomes), -1)
    iou = box_iou(image.bboxes, image.gt_bboxes, inclusive=True)
    same_class = image.labels[:, None] == image.gt_labels
    own = np.where(same_class, iou, 0.0)
    best = own.max(axis=1, initial=0.0)
    wrong = best < IOU_THR
    ranked = np.argsort(-image.scores, kind='stable')
    for index in ranked[~wrong[ranked]]:
        target = own[index].argmax()
        if outcomes[target]:
            surplus[index] = 'duplicate'
        elif not image.difficult[target]:
            outcomes[target], responsible[target] = 'found', index
    wrong_own = np.where(wrong[:, None], own, 0.0)
    wrong_class = np.where(wrong[:, None] & ~same_class, iou, 0.0)
    for target in np.flatnonzero((responsible < 0) & ~image.difficult):
        outcomes[target] = 'missed'
        if wrong_own[:, target].max(initial=0.0) >= TOUCH_THR:
            responsible[target] = wrong_own[:, target].argmax()
            outcomes[target] = _wrong_box(image, responsible[target], target)
        elif wrong_class[:, target].max(initial=0.0) >= IOU_THR:
            responsible[target], outcomes[target] = wrong_class[:, target].argmax(), 'wrong_class'
    unused = wrong & ~np.isin(np.arange(len(wrong)), responsible) & (best < TOUCH_THR)
    surplus = ['background' if idle else kind for idle, kind in zip(unused, surplus)]
    return ImageErrors(outcomes, responsible, surplus)


def _wrong_box(image: ImageBoxes, prediction: int, target: int) -> str:
    """Outcome of an object for which a wrong box of its class is responsible."""
    box = image.bboxes[prediction][None]
    objects = image.gt_bboxes[image.gt_labels == image.gt_labels[target]]
    covered = box_intersections(objects, box, inclusive=True)[:, 0]
    shares = covered / box_areas(objects, inclusive=True).clip(1e-9)
    if (shares >= 0.5).sum() >= 2:
        return 'several'
    area, gt_area = (
        box_areas(one, inclusive=True)[0] for one in (box, image.gt_bboxes[target][None])
    )
    return 'part' if area < gt_area else 'large'


def error_taxonomy(images: Sequence[ImageBoxes], num_classes: int) -> dict[str, float]:
    """Shares of the outcomes over all objects that are not difficult.

    Args:
        images: All images of the data set, with all predictions.
        num_classes: C.

    Returns:
        A share of the objects for each of ``OUTCOMES``, which sum to 1, and for each of
        ``SURPLUS`` the number of such predictions per object; nan without objects.
    """
    counts: Counter = Counter()
    for image, rows in zip(images, top_predictions(images, num_classes)):
        errors = classify_errors(image.select(rows))
        counts.update([*errors.outcomes, *errors.surplus])
    total = sum(counts[name] for name in OUTCOMES)
    names = (*OUTCOMES, *SURPLUS)
    return {name: counts[name] / total if total else float('nan') for name in names}
