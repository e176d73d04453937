"""Labels from a file in place of ground truth, and mixtures of both for diagnosis."""

import json
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from mmcv.transforms import BaseTransform
from mmdet.structures.bbox import HorizontalBoxes
from mmdet.structures.mask import BitmapMasks
from pycocotools import mask as mask_api

from mmlabelpenet.registry import TRANSFORMS
from mmlabelpenet.utils import UserError, box_iou, explain_read_errors

# IoU of a right box with its object.
RIGHT = 0.5


@dataclass(frozen=True)
class Labels:
    """Labels of one image, N instances.

    Attributes:
        bboxes: [N, 4] float32 xyxy in pixels of the image, x2 and y2 exclusive.
        labels: [N] int64.
        masks: [N, H, W] uint8, 1 = object, 0 = background, 255 = unknown.
        weights: [N] float32, the factor of the instances' losses.
    """

    bboxes: np.ndarray
    labels: np.ndarray
    masks: np.ndarray
    weights: np.ndarray

    def take(self, indices: np.ndarray) -> 'Labels':
        """Select instances by their indices or by a condition."""
        return Labels(*(value[indices] for value in vars(self).values()))

    def fill(self, results: dict) -> dict:
        """Put the labels into the results of a pipeline, in the keys of LoadTrueInstances."""
        results['gt_bboxes'] = HorizontalBoxes(self.bboxes)
        results['gt_bboxes_labels'] = self.labels
        results['gt_ignore_flags'] = np.zeros(len(self.labels), dtype=bool)
        results['gt_masks'] = BitmapMasks(self.masks, *self.masks.shape[1:])
        results['gt_weights'] = self.weights
        return results


def true_labels(results: dict) -> Labels:
    """Labels that LoadTrueInstances has put into the results of a pipeline."""
    labels = results['gt_bboxes_labels']
    bboxes, masks = results['gt_bboxes'].numpy(), results['gt_masks'].masks
    return Labels(bboxes, labels, masks, np.ones(len(labels), dtype=np.float32))


@cache
def read_label_file(path: str) -> tuple[int, dict[str, list[dict]]]:
    """Read labels in COCO format that ``tools/export_pseudo_labels.py`` has written.

    Args:
        path: The file.

    Returns:
        The number of classes, and the annotations of each image by its absolute path.

    Raises:
        UserError: If it is no such file.
    """
    with explain_read_errors(path, 'a file of labels', 'export it by export_pseudo_labels.py'):
        with open(path, encoding='utf-8') as file:
            content = json.load(file)
        root = content['info']['photo_root']
        names = {one['id']: os.path.join(root, one['file_name']) for one in content['images']}
        found: dict[str, list[dict]] = {os.path.realpath(name): [] for name in names.values()}
        for one in content['annotations']:
            found[os.path.realpath(names[one['image_id']])].append(one)
        return len(content['categories']), found


def labels_of_file(path: str, results: dict, weighted: bool = False) -> Labels:
    """Labels of an image in a file, see :func:`read_label_file`.

    Args:
        path: The file.
        results: Of a pipeline, with the image and its place.
        weighted: Whether scores are weights; else all are 1.

    Raises:
        UserError: If the file does not know the image, or has another number of classes.
    """
    num_classes, images = read_label_file(path)
    image = os.path.realpath(results['img_path'])
    if image not in images or num_classes != results['num_classes']:
        raise UserError(
            f'{path} has labels of {num_classes} classes for {len(images)} photos, not those of '
            f'{image} with {results["num_classes"]}: export labels of the training photos.'
        )
    size, own = results['img_shape'][:2], images[image]
    bboxes = np.array([one['bbox'] for one in own], dtype=np.float32).reshape(-1, 4)
    bboxes[:, 2:] += bboxes[:, :2]
    masks: np.ndarray = np.zeros((len(own), *size), dtype=np.uint8)
    for mask, one in zip(masks, own):
        mask[:] = mask_api.decode(one['segmentation'])
    weights = [one.get('score', 1) if weighted else 1 for one in own]
    labels = np.array([one['category_id'] - 1 for one in own], dtype=np.int64)
    return Labels(bboxes, labels, masks, np.array(weights, dtype=np.float32))


@TRANSFORMS.register_module()
@dataclass(eq=False)
class LoadLabels(BaseTransform):
    """Read boxes and masks of an image from a file of labels, in place of LoadTrueInstances.

    So a config of the fully supervised bound learns from labels that a model has made. No ground
    truth is read: the data set has ``supervision='tags'``.

    Attributes:
        label_file: In COCO format, with masks as run lengths, of
            ``tools/export_pseudo_labels.py``.
        weighted: Whether scores are weights of the losses; else all weights are 1.
    """

    label_file: str
    weighted: bool = False

    def transform(self, results: dict) -> dict:
        """Add the labels to ``results``."""
        return labels_of_file(self.label_file, results, self.weighted).fill(results)


def one_of_each(truth: Labels) -> np.ndarray:
    """Which objects [N] are the largest of their class in the image; of equals the first."""
    areas = (truth.bboxes[:, 2:] - truth.bboxes[:, :2]).prod(axis=1)
    order = np.lexsort((-areas, truth.labels))
    _, first = np.unique(truth.labels[order], return_index=True)
    return np.isin(np.arange(len(order)), order[first])


def match(pseudo: Labels, truth: Labels) -> tuple[np.ndarray, np.ndarray]:
    """For each pseudo instance its largest IoU with an object of its class, and that object.

    Of several instances of an object only the one of largest IoU keeps it.

    Returns:
        IoU [P], 0 where there is none; index [P] of the object.
    """
    if len(truth.labels) == 0:
        return np.zeros(len(pseudo.labels)), np.zeros(len(pseudo.labels), dtype=int)
    overlaps = box_iou(pseudo.bboxes, truth.bboxes)
    overlaps = overlaps * (pseudo.labels[:, None] == truth.labels)
    iou, objects = overlaps.max(axis=1), overlaps.argmax(axis=1)
    order = np.lexsort((-iou, objects))
    _, first = np.unique(objects[order], return_index=True)
    kept = np.isin(np.arange(len(iou)), order[first])
    return np.where(kept, iou, 0.0), objects


def only_one(truth: Labels, pseudo: Labels) -> Labels:
    """O2: one true object of each class; the others are background."""
    return truth.take(one_of_each(truth))


def others_ignored(truth: Labels, pseudo: Labels) -> Labels:
    """O3: one true object of each class; around the others nothing is learned."""
    kept = one_of_each(truth)
    # Those of weight 0 last: regions that overlap nothing take the weight of the first one.
    order = np.argsort(~kept, kind='stable')
    return replace(truth, weights=kept.astype(np.float32)).take(order)


def only_right(truth: Labels, pseudo: Labels) -> Labels:
    """O4: pseudo instances whose box is right."""
    return pseudo.take(match(pseudo, truth)[0] >= RIGHT)


def snapped(truth: Labels, pseudo: Labels) -> Labels:
    """O5: pseudo instances; where the box is right, box and mask are those of the object."""
    iou, objects = match(pseudo, truth)
    right = iou >= RIGHT
    bboxes, masks = pseudo.bboxes.copy(), pseudo.masks.copy()
    bboxes[right], masks[right] = truth.bboxes[objects[right]], truth.masks[objects[right]]
    return replace(pseudo, bboxes=bboxes, masks=masks)


def in_true_boxes(truth: Labels, pseudo: Labels) -> Labels:
    """O6: pseudo masks, each cut to the box of the object that its box overlaps most."""
    iou, objects = match(pseudo, truth)
    pseudo, boxes = pseudo.take(iou > 0), truth.bboxes[objects[iou > 0]]
    masks: np.ndarray = np.zeros_like(pseudo.masks)
    for mask, own, (x1, y1, x2, y2) in zip(masks, pseudo.masks, boxes.astype(int)):
        mask[y1:y2, x1:x2] = own[y1:y2, x1:x2]
    return replace(pseudo, bboxes=boxes, masks=masks)


ORACLES: dict[str, Callable[[Labels, Labels], Labels]] = {
    'O2': only_one,
    'O3': others_ignored,
    'O4': only_right,
    'O5': snapped,
    'O6': in_true_boxes,
}


@TRANSFORMS.register_module()
@dataclass(eq=False)
class OracleLabels(BaseTransform):
    """Mixes ground truth of training images with labels, for diagnosis alone.

    Place it right after LoadTrueInstances.

    Attributes:
        oracle: Key of ``ORACLES``.
        label_file: As of :class:`LoadLabels`; O2 and O3 need none.

    Raises:
        UserError: If there is no such oracle, or it needs labels.
    """

    oracle: str
    label_file: str | None = None

    def __post_init__(self) -> None:
        if self.oracle not in ORACLES:
            raise UserError(f'There is no oracle {self.oracle!r}, only {", ".join(ORACLES)}.')
        if self.label_file is None and self.oracle not in ('O2', 'O3'):
            raise UserError(f'{self.oracle} changes labels: set label_file to a file of them.')

    def transform(self, results: dict) -> dict:
        """Replace the ground truth in ``results``."""
        truth = true_labels(results)
        pseudo = truth if self.label_file is None else labels_of_file(self.label_file, results)
        return ORACLES[self.oracle](truth, pseudo).fill(results)
