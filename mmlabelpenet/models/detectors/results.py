"""Results in the data sample, and the semantic map that instances give."""

import torch
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData, PixelData
from torch import Tensor


def add_image_results(
    sample: DetDataSample, instances: InstanceData, image_scores: Tensor
) -> None:
    """Add the results that belong to an image's predicted instances to its sample.

    Args:
        sample: Gets ``pred_image_scores``, with masks ``pred_sem_seg``, and the metainfo
            ``boxes_end``: x2 and y2 are the first pixels outside of a box.
        instances: In pixels of the original image.
        image_scores: [C].
    """
    sample.pred_image_scores = image_scores
    sample.set_metainfo(dict(boxes_end='outside'))
    if 'masks' in instances:
        sample.pred_sem_seg = PixelData(sem_seg=paint_semantic_map(instances)[None])


def paint_semantic_map(instances: InstanceData, min_score: float = 0.3) -> Tensor:
    """Paint instances by rising score, so that the best one wins a pixel.

    Args:
        instances: M instances with ``masks`` [M, H, W] bool, ``labels`` and ``scores`` [M].
        min_score: Instances below it are not painted.

    Returns:
        [H, W] long: 0 background, class c as c + 1.
    """
    masks = instances.masks
    order = instances.scores.argsort(descending=True)
    # All masks of a large image take gigabytes: copy only those that are painted.
    order = order[instances.scores[order] >= min_score]
    if len(order) == 0:
        return torch.zeros(masks.shape[1:], dtype=torch.long, device=masks.device)
    masks, labels = masks[order], instances.labels[order]
    first = masks.byte().argmax(0)  # of equal values the first, so the highest score
    return torch.where(masks.any(0), labels[first] + 1, 0)
