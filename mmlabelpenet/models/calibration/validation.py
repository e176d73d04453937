"""Inverse validation: do the earlier modules agree with the last module's instances?"""

import torch
from mmdet.structures.bbox import bbox_overlaps
from mmengine.structures import InstanceData
from torch import Tensor

from mmlabelpenet.structures import Maps


def key_share(keys: Maps, masks: Maps, threshold: float = 0.5) -> Tensor:
    """Share of the key pixels inside a mask, the second factor of the agreement.

    Args:
        keys: K, [M, h, w], not negative.
        masks: Soft masks [M, h', w'] in 0..1.
        threshold: Least value of a pixel of the mask.

    Returns:
        [M] in 0..1; 0 where there are no key pixels.
    """
    keys = keys.resample(masks.stride, masks.values.shape[1:])
    inside = (keys.values * (masks.values >= threshold)).sum((1, 2))
    total = keys.values.sum((1, 2))
    return torch.where(total > 0, inside / total.clamp(min=1e-12), 0.0)


def merge_validated(
    pseudo: InstanceData,
    found: InstanceData,
    replace_iou: float = 0.5,
    extend_iou: float = 0.3,
) -> InstanceData:
    """Merge validated instances into the pseudo instances (docs/paper/method.md, calibration).

    Args:
        pseudo: P pseudo instances with ``bboxes``, ``labels`` and their own ``agreement`` [P].
        found: F validated instances with ``bboxes``, ``labels``, ``agreement`` and all other
            fields that pseudo instances have.
        replace_iou: Least IoU of two instances of the same object: the one of greater agreement
            is kept.
        extend_iou: An instance whose IoU with all pseudo instances of its class is lower is
            a new object and is added.

    Returns:
        The pseudo instances that are kept, then the validated ones that are added.
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
