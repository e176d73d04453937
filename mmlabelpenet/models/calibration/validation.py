"""Inverse validation: do the earlier modules agree with the last module's instances?"""

from collections.abc import Sequence

import torch
from mmengine.structures import InstanceData
from torch import Tensor

from mmlabelpenet.structures import Maps
from mmlabelpenet.structures.boxes import box_iou
from mmlabelpenet.structures.selecting import kept_indices


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
    pseudo: Sequence[InstanceData],
    found: Sequence[InstanceData],
    replace_iou: float = 0.5,
    extend_iou: float = 0.3,
) -> list[InstanceData]:
    """Merge validated instances into the pseudo instances (docs/paper/method.md, calibration).

    Args:
        pseudo: For each image P pseudo instances with ``bboxes``, ``labels`` and their own
            ``agreement`` [P].
        found: For each image F validated instances with ``bboxes``, ``labels``, ``agreement`` and
            all other fields that pseudo instances have.
        replace_iou: Least IoU of two instances of the same object: the one of greater agreement
            is kept.
        extend_iou: An instance whose IoU with all pseudo instances of its class is lower is
            a new object and is added.

    Returns:
        For each image the pseudo instances that are kept, then the validated ones that are added.
    """
    pairs = list(zip(pseudo, found))
    chosen = kept_indices(
        [kept for one, new in pairs for kept in _chosen(one, new, replace_iou, extend_iou)]
    )
    return [
        InstanceData.cat([one[kept], new[taken]])
        for (one, new), kept, taken in zip(pairs, chosen[::2], chosen[1::2])
    ]


def _chosen(
    pseudo: InstanceData, found: InstanceData, replace_iou: float, extend_iou: float
) -> tuple[Tensor, Tensor]:
    """Which instances stay [P], and which are added [F]."""
    overlaps = box_iou(found.bboxes, pseudo.bboxes)
    overlaps = overlaps * (found.labels[:, None] == pseudo.labels[None])
    better = found.agreement[:, None] > pseudo.agreement[None]
    replaces = (overlaps >= replace_iou) & better
    covered = (overlaps >= extend_iou).any(1)
    return ~replaces.any(0), replaces.any(1) | ~covered
