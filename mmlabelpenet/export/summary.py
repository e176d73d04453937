"""What is known of exported instances without ground truth."""

from collections.abc import Sequence

import numpy as np
import torch
from mmdet.structures.bbox import bbox_overlaps
from pycocotools import mask as mask_api

from .records import LabelledImage

# The fixed threshold, and the share of a class's tagged images that keep an instance below it.
FIXED, KEPT = 0.3, 0.75


def best_scores(images: Sequence[LabelledImage], label: int) -> np.ndarray:
    """Get the best score of a class in each image that is tagged with it, 0 without instances.

    Args:
        images: Those without tags are left out.
        label: The class.
    """
    tagged = (one for one in images if label in (one.tags or ()))
    return np.array([one.scores[one.labels == label].max(initial=0) for one in tagged])


def class_thresholds(images: Sequence[LabelledImage], num_classes: int) -> np.ndarray:
    """Choose the least score of each class by its scores.

    It is .3, or less where otherwise fewer than three quarters of the images that are tagged with
    the class would have an instance of it.

    Args:
        images: With instances of any score.
        num_classes: C.

    Returns:
        [C].
    """
    best = [best_scores(images, label) for label in range(num_classes)]
    found = [np.quantile(one, 1 - KEPT, method='lower') if len(one) else FIXED for one in best]
    return np.minimum(found, FIXED)


def summarise(images: Sequence[LabelledImage], classes: Sequence[str]) -> list[str]:
    """Say which tags and classes have an instance, and how sure the instances are.

    Args:
        images: All images of an export.
        classes: Names of the classes.
    """
    lines, best = [], [best_scores(images, label) for label in range(len(classes))]
    scores = np.concatenate(best) if best else np.zeros(0)
    if len(scores):
        median = np.median(scores[scores > 0]) if scores.any() else 0.0
        lines.append(
            f'{(scores > 0).sum()} of {len(scores)} tags have an instance in their photo; '
            f'the median of the best scores is {median:.2f}.'
        )
    lacking = [name for name, one in zip(classes, best) if len(one) and not one.any()]
    if lacking:
        lines.append(
            f'There is no instance of {", ".join(lacking)}: lower --score-thr, train longer, or '
            'add photos of them.'
        )
    masked = [one for one in images if one.masks]
    if masked:
        tight = mask_api.toBbox([rle for one in masked for rle in one.masks or ()])
        tight[:, 2:] += tight[:, :2]
        boxes = np.concatenate([one.boxes for one in masked]).astype(tight.dtype)
        pairs = torch.from_numpy(boxes), torch.from_numpy(tight)
        overlap = bbox_overlaps(*pairs, is_aligned=True).mean()
        lines.append(f'Boxes and the boxes around masks agree by a mean IoU of {overlap:.2f}.')
    return lines
