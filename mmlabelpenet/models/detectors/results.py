"""Results in the data sample, and the semantic map that instances give."""

from collections.abc import Sequence

import torch
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData, PixelData
from torch import Tensor

from mmlabelpenet.utils import decode_part


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
        painted = paint_semantic_map(instances, size=sample.ori_shape[:2])
        sample.pred_sem_seg = PixelData(sem_seg=painted[None])


def paint_semantic_map(
    instances: InstanceData, min_score: float = 0.3, size: Sequence[int] | None = None
) -> Tensor:
    """Paint instances by rising score, so that the best one wins a pixel.

    Args:
        instances: M instances with ``masks`` ([M, H, W] bool or M run lengths), ``labels`` and
            ``scores`` [M].
        min_score: Instances below it are not painted.
        size: (H, W); needed if there may be no instance, with masks as run lengths.

    Returns:
        [H, W] long: 0 background, class c as c + 1.
    """
    masks, device = instances.masks, instances.labels.device
    if size is None:
        size = masks.shape[1:] if isinstance(masks, Tensor) else masks[0]['size']
    order = instances.scores.argsort(descending=True)
    order = order[instances.scores[order] >= min_score]
    labels = instances.labels[order]
    if len(order) > 0 and isinstance(masks, Tensor):
        masks = masks[order]
        first = masks.byte().argmax(0)  # of equal values the first, so the highest score
        return torch.where(masks.any(0), labels[first] + 1, 0)
    painted = torch.zeros(tuple(size), dtype=torch.long)
    for index, label in zip(order.flip(0).tolist(), labels.flip(0).tolist()):
        part, x, y = decode_part(masks[index])
        painted[y : y + part.shape[0], x : x + part.shape[1]][torch.from_numpy(part)] = label + 1
    return painted.to(device)
