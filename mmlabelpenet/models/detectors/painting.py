"""From instances to a semantic map."""

import torch
from mmengine.structures import InstanceData
from torch import Tensor


def paint_semantic_map(instances: InstanceData, min_score: float = 0.3) -> Tensor:
    """Paint instances by rising score, so that the surest one wins a pixel (METHOD 3.4).

    Args:
        instances: M instances with ``masks`` [M, H, W] bool, ``labels`` and ``scores`` [M].
        min_score: Instances below it are not painted.

    Returns:
        [H, W] long: 0 background, class c as c + 1.
    """
    masks = instances.masks
    order = instances.scores.argsort(descending=True)
    # Of large photos all masks are gigabytes: only those that are painted are copied.
    order = order[instances.scores[order] >= min_score]
    if len(order) == 0:
        return torch.zeros(masks.shape[1:], dtype=torch.long, device=masks.device)
    masks, labels = masks[order], instances.labels[order]
    first = masks.byte().argmax(0)  # of equal values the first, so the highest score
    return torch.where(masks.any(0), labels[first] + 1, 0)
