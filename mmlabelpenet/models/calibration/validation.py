"""Inverse validation: does what the last module found hold before the modules before it?"""

import torch
from mmdet.structures.bbox import bbox_overlaps
from mmengine.structures import InstanceData
from torch import Tensor

from ..grids import resample


def key_share(
    keys: Tensor, stride: int, masks: Tensor, mask_stride: int, threshold: float = 0.5
) -> Tensor:
    """Share of the key pixels that a mask holds, the second factor of METHOD 5's agreement.

    Args:
        keys: K, [M, h, w], not negative.
        stride: Of their grid.
        masks: Soft masks [M, h', w'] in 0..1.
        mask_stride: Of their grid.
        threshold: Least value of a pixel of the mask.

    Returns:
        [M] in 0..1; 0 where there are no key pixels.
    """
    if len(keys) == 0:
        return keys.new_zeros(0)
    size = (masks.shape[1], masks.shape[2])
    keys = resample(keys[None].float(), stride, mask_stride, size)[0]
    inside = (keys * (masks >= threshold)).sum((1, 2))
    total = keys.sum((1, 2))
    return torch.where(total > 0, inside / total.clamp(min=1e-12), 0.0)


def merge_validated(
    pseudo: InstanceData,
    found: InstanceData,
    replace_iou: float = 0.5,
    extend_iou: float = 0.3,
) -> InstanceData:
    """Feed validated instances back among the pseudo instances (METHOD 5).

    Args:
        pseudo: P pseudo instances with ``bboxes``, ``labels`` and their own ``agreement`` [P].
        found: F validated instances with ``bboxes``, ``labels``, ``agreement`` and all other
            fields that pseudo instances have.
        replace_iou: Least IoU at which an instance stands for the same object: of the two the
            one of greater agreement stays.
        extend_iou: An instance whose IoU with all pseudo instances of its class is lower is
            another object and is added.

    Returns:
        The pseudo instances that stay, then the validated ones that are taken.
    """
    if len(found) == 0:
        return pseudo
    if len(pseudo) == 0:
        return found
    overlaps = bbox_overlaps(found.bboxes, pseudo.bboxes)
    overlaps = overlaps * (found.labels[:, None] == pseudo.labels[None])
    better = found.agreement[:, None] > pseudo.agreement[None]
    replaces = (overlaps >= replace_iou) & better
    taken = replaces.any(1) | (overlaps.amax(1) < extend_iou)
    return InstanceData.cat([pseudo[~replaces.any(0)], found[taken]])
