"""Agreement of two sets of predictions on tags: a proxy that reads no box of truth."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np


class Found(NamedTuple):
    """Predictions of one image.

    Attributes:
        labels: [P] class of each prediction.
        scores: [P].
        bboxes: [P, 4] xyxy in pixels, x2 and y2 exclusive.
    """

    labels: np.ndarray
    scores: np.ndarray
    bboxes: np.ndarray

    def flip(self, width: float) -> 'Found':
        """The predictions in the mirrored image.

        Args:
            width: Of the image in pixels.
        """
        x1, y1, x2, y2 = self.bboxes.reshape(-1, 4).T
        return self._replace(bboxes=np.stack([width - x2, y1, width - x1, y2], axis=1))


def tags_that_agree(
    first: Sequence[Found],
    second: Sequence[Found],
    tags: Sequence[Sequence[int]],
    iou_thr: float = 0.5,
) -> np.ndarray:
    """For each tag of each image: does the best box of the class agree in both sets?

    As two-fold agreement the sets are those of two models, of which one has never seen the
    image; as flip stability those of an image and of its mirror image (:meth:`Found.flip`).

    Args:
        first: Predictions of N images.
        second: Other predictions of the same images.
        tags: Labels of the classes in each image.
        iou_thr: Least IoU of boxes that agree.

    Returns:
        [T] bool, in the order of images and tags; false where a set has no box of the class.
    """
    return overlaps_of_tags(first, second, tags) >= iou_thr


def overlaps_of_tags(
    first: Sequence[Found], second: Sequence[Found], tags: Sequence[Sequence[int]]
) -> np.ndarray:
    """For each tag of each image: the IoU of the best boxes of the class in both sets.

    Args:
        first: Predictions of N images.
        second: Other predictions of the same images.
        tags: Labels of the classes in each image.

    Returns:
        [T], in the order of images and tags; 0 where a set has no box of the class.
    """
    labels = [np.asarray(one, dtype=int).reshape(-1) for one in (*tags, *_labels(first, second))]
    num_classes = 1 + max((int(one.max()) for one in labels if len(one)), default=0)
    wanted = _keys(labels[: len(tags)], num_classes)
    boxes = [_best_boxes(found, wanted, num_classes) for found in (first, second)]
    return _paired_iou(*boxes)


def _labels(*sets: Sequence[Found]) -> list[np.ndarray]:
    return [one.labels for found in sets for one in found]


def _keys(labels: Sequence[np.ndarray], num_classes: int) -> np.ndarray:
    """One number for the image and class of each label of all images."""
    images = np.repeat(np.arange(len(labels)), [len(one) for one in labels])
    return images * num_classes + np.concatenate([np.zeros(0, dtype=int), *labels])


def _best_boxes(found: Sequence[Found], wanted: np.ndarray, num_classes: int) -> np.ndarray:
    """Best box of each wanted image and class; an empty one where there is none, [T, 4]."""
    keys = _keys([np.asarray(one.labels, dtype=int).reshape(-1) for one in found], num_classes)
    scores = np.concatenate([np.zeros(0), *(one.scores for one in found)])
    bboxes = np.concatenate([np.zeros((0, 4)), *(one.bboxes.reshape(-1, 4) for one in found)])
    order = np.lexsort((-scores, keys))
    known, begins = np.unique(keys[order], return_index=True)
    # The last row is that of an image and class that have no box.
    best = np.concatenate([bboxes[order][begins], np.zeros((1, 4))])
    places = np.searchsorted(known, wanted)
    there = np.isin(wanted, known)
    return best[np.where(there, places, len(known))]


def _paired_iou(boxes: np.ndarray, others: np.ndarray) -> np.ndarray:
    """IoU [T] of each box with the one in the same row; 0 where both are empty."""
    sides = np.minimum(boxes, others)[:, 2:] - np.maximum(boxes, others)[:, :2]
    shared = sides.clip(0).prod(axis=1)
    total = sum((one[:, 2:] - one[:, :2]).prod(axis=1) for one in (boxes, others)) - shared
    return np.divide(shared, total, out=np.zeros_like(shared), where=total > 0)
