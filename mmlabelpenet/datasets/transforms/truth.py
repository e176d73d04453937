"""Loading true boxes and masks for training: what only the fully supervised bound may read."""

import numpy as np
import torch
from mmcv.transforms import BaseTransform
from mmdet.structures.bbox import HorizontalBoxes, bbox_overlaps
from mmdet.structures.mask import BitmapMasks
from pycocotools import mask as mask_api
from scipy.optimize import linear_sum_assignment

from mmlabelpenet.registry import TRANSFORMS
from mmlabelpenet.utils import UserError

from ..devkit import VOID
from .loading import LoadInstanceMasks


@TRANSFORMS.register_module()
class LoadTrueInstances(BaseTransform):
    """Read the true instances of an image to learn from, boxes with the masks that fit them.

    Place it before Resize, which then turns them with the image. Boxes and masks of VOC are
    annotated apart: each box takes the mask of its class whose own box overlaps it most, one to
    one. Pixels on which nothing is known carry the value 255: VOC's void, and the whole mask of
    a box that none fits or whose image has no masks. Difficult objects are left out.

    Required Keys:

    - img_shape (tuple)
    - instances (list[dict]): what a data set with ``supervision='full'`` says of the image
    - seg_map_path, instance_map_path (str, optional)

    Added Keys:

    - gt_bboxes (HorizontalBoxes[float32]): [G, 4], x2 and y2 exclusive
    - gt_bboxes_labels (np.int64): [G]
    - gt_ignore_flags (bool): [G], all False
    - gt_masks (BitmapMasks): [G, H, W], 1 = object, 0 = not, 255 = unknown

    Args:
        min_iou: Least IoU of a box with the box of its mask.

    Raises:
        UserError: If the data set gives tags alone.
    """

    def __init__(self, min_iou: float = 0.5) -> None:
        self.min_iou = min_iou

    def transform(self, results: dict) -> dict:
        """Add the true instances to ``results``."""
        if 'instances' not in results:
            raise UserError(
                f'The data set gives no boxes of {results.get("img_path")}: say '
                "supervision='full' in train_dataloader.dataset, for an upper bound alone."
            )
        known = [one for one in results['instances'] if not one['ignore_flag']]
        bboxes = np.array([one['bbox'] for one in known], dtype=np.float32).reshape(-1, 4)
        bboxes[:, 2:] += 1
        labels = np.array([one['bbox_label'] for one in known], dtype=np.int64)
        height, width = results['img_shape'][:2]
        masks = self._masks(results, bboxes, labels, (height, width))
        results['gt_bboxes'] = HorizontalBoxes(bboxes)
        results['gt_bboxes_labels'] = labels
        results['gt_ignore_flags'] = np.zeros(len(labels), dtype=bool)
        results['gt_masks'] = BitmapMasks(masks, height, width)
        return results

    def _masks(
        self, results: dict, bboxes: np.ndarray, labels: np.ndarray, size: tuple[int, int]
    ) -> np.ndarray:
        masks: np.ndarray = np.full((len(labels), *size), VOID, dtype=np.uint8)
        # Read apart: what the metrics' own keys hold stays untouched.
        read = LoadInstanceMasks()({**results})
        if 'gt_mask_instances' not in read or len(labels) == 0:
            return masks
        true = read['gt_mask_instances']
        overlaps = bbox_overlaps(torch.from_numpy(bboxes), true.bboxes).numpy()
        overlaps = overlaps * (labels[:, None] == true.labels.numpy())
        boxes, fitting = linear_sum_assignment(-overlaps)
        void = read['gt_seg_map'] == VOID
        for box, mask in zip(boxes, fitting):
            if overlaps[box, mask] >= self.min_iou:
                masks[box] = np.where(void, VOID, mask_api.decode(true.masks[mask]))
        return masks

    def __repr__(self) -> str:
        return f'{type(self).__name__}(min_iou={self.min_iou})'
