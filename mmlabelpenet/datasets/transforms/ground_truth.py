"""Loading ground-truth boxes and masks for training, for the fully supervised upper bound only."""

from dataclasses import dataclass

import numpy as np
import torch
from mmcv.transforms import BaseTransform
from mmdet.structures.bbox import HorizontalBoxes, bbox_overlaps
from mmdet.structures.mask import BitmapMasks
from pycocotools import mask as mask_utils
from scipy.optimize import linear_sum_assignment

from mmlabelpenet.registry import TRANSFORMS
from mmlabelpenet.utils import UserError

from ..devkit import VOID
from .masks import LoadInstanceMasks

# Minimum IoU of an annotated box with the tight box of its mask.
MIN_IOU = 0.5


@TRANSFORMS.register_module()
@dataclass(eq=False)
class LoadTrueInstances(BaseTransform):
    """Read the ground-truth boxes of an image, each with the mask that matches it.

    Place it before Resize, which transforms boxes and masks with the image. VOC annotates boxes
    and masks separately: boxes are matched one to one to masks of their class by the IoU with
    the masks' boxes. Pixels without a known label have the value 255: VOC's void, and the whole
    mask of a box that matches none or whose image has no masks. Difficult objects are left out.

    Required Keys:

    - img_shape (tuple)
    - instances (list[dict]): from a data set with ``supervision='full'``
    - seg_map_path, instance_map_path (str, optional)

    Added Keys:

    - gt_bboxes (HorizontalBoxes[float32]): [G, 4], x2 and y2 exclusive
    - gt_bboxes_labels (np.int64): [G]
    - gt_ignore_flags (bool): [G], all False
    - gt_masks (BitmapMasks): [G, H, W], 1 = object, 0 = background, 255 = unknown

    Raises:
        UserError: If the data set gives only tags.
    """

    def transform(self, results: dict) -> dict:
        """Add the ground-truth instances to ``results``."""
        if 'instances' not in results:
            raise UserError(
                f'The data set gives no boxes of {results.get("img_path")}: set '
                "supervision='full' in train_dataloader.dataset, for an upper bound only."
            )
        known = [one for one in results['instances'] if not one['ignore_flag']]
        bboxes = np.array([one['bbox'] for one in known], dtype=np.float32).reshape(-1, 4)
        bboxes[:, 2:] += 1
        labels = np.array([one['bbox_label'] for one in known], dtype=np.int64)
        height, width = results['img_shape'][:2]
        masks = _matching_masks(results, bboxes, labels, (height, width))
        results['gt_bboxes'] = HorizontalBoxes(bboxes)
        results['gt_bboxes_labels'] = labels
        results['gt_ignore_flags'] = np.zeros(len(labels), dtype=bool)
        results['gt_masks'] = BitmapMasks(masks, height, width)
        return results


def _matching_masks(
    results: dict, bboxes: np.ndarray, labels: np.ndarray, size: tuple[int, int]
) -> np.ndarray:
    masks: np.ndarray = np.full((len(labels), *size), VOID, dtype=np.uint8)
    # A copy: the keys that metrics read stay untouched.
    read = LoadInstanceMasks()({**results})
    if 'gt_mask_instances' not in read or len(labels) == 0:
        return masks
    instances = read['gt_mask_instances']
    overlaps = bbox_overlaps(torch.from_numpy(bboxes), instances.bboxes).numpy()
    overlaps = overlaps * (labels[:, None] == instances.labels.numpy())
    void = read['gt_seg_map'] == VOID
    for box, match in zip(*linear_sum_assignment(-overlaps)):
        if overlaps[box, match] >= MIN_IOU:
            masks[box] = np.where(void, VOID, mask_utils.decode(instances.masks[match]))
    return masks
