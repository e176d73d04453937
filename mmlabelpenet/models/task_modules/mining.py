"""Choosing pseudo instances and final detections among scored boxes."""

from typing import Any

import torch
from mmcv.ops import batched_nms
from mmengine.structures import InstanceData
from torch import Tensor

from .clustering import mine_proposal_clusters


def mine_pseudo_instances(
    bboxes: Tensor,
    scores: Tensor,
    tags: Tensor,
    keep_ratio: float = 0.7,
    max_per_class: int = 5,
    iou_threshold: float = 0.3,
    num_candidates: int = 100,
) -> InstanceData:
    """Pseudo instances of every tagged class (docs/paper/method.md, forward calibration).

    The best box of a tagged class is always taken; further ones where they survive NMS and
    reach ``keep_ratio`` of the best score.

    Args:
        bboxes: [N, 4] xyxy.
        scores: [N, C], not negative.
        tags: [C] in {0, 1}.
        keep_ratio: Share of the class's best score that a further box must reach.
        max_per_class: Greatest number of boxes of one class (PCL: 5).
        iou_threshold: IoU above which NMS removes the lower box.
        num_candidates: Best boxes of each class that take part.

    Returns:
        ``bboxes`` [M, 4], ``labels`` [M] and ``scores`` [M], ordered by class, then score.
    """
    top_scores, top_boxes = scores.t().topk(min(num_candidates, len(bboxes)), dim=1)
    keep = (tags[:, None] > 0) & (top_scores >= keep_ratio * top_scores[:, :1])
    labels, ranks = keep.nonzero(as_tuple=True)
    candidates = InstanceData(
        bboxes=bboxes[top_boxes[labels, ranks]], labels=labels, scores=top_scores[labels, ranks]
    )
    if len(labels) == 0:
        return candidates
    kept = nms(candidates, iou_threshold).sort().values
    candidates = candidates[kept]  # by class, then by falling score, as the candidates stand
    first = torch.searchsorted(candidates.labels, candidates.labels)
    return candidates[torch.arange(len(kept), device=kept.device) - first < max_per_class]


def nms(instances: InstanceData, iou_threshold: float) -> Tensor:
    """Indices of the instances that class-wise NMS keeps, by falling score."""
    return batched_nms(
        instances.bboxes,
        instances.scores,
        instances.labels,
        dict(type='nms', iou_threshold=iou_threshold),
    )[1]


MINERS = {'peaks': mine_pseudo_instances, 'clusters': mine_proposal_clusters}


def mine(
    bboxes: Tensor, scores: Tensor, tags: Tensor, method: str = 'peaks', **settings: Any
) -> InstanceData:
    """Pseudo instances by the method that a config names.

    Args:
        bboxes: [N, 4] xyxy.
        scores: [N, C], not negative.
        tags: [C] in {0, 1}.
        method: ``'peaks'`` (:func:`mine_pseudo_instances`) or ``'clusters'``
            (:func:`mine_proposal_clusters`).
        **settings: Further arguments of that function.

    Raises:
        ValueError: For an unknown method.
    """
    if method not in MINERS:
        raise ValueError(f'mining knows no method {method!r}, only {sorted(MINERS)}')
    return MINERS[method](bboxes, scores, tags, **settings)


def select_detections(
    bboxes: Tensor,
    scores: Tensor,
    iou_threshold: float = 0.3,
    score_threshold: float = 1e-3,
    max_per_image: int = 100,
) -> InstanceData:
    """Class-wise NMS that never loses the best box of a class.

    CorLoc asks for the best box of every class, however low its score, so that one is kept
    besides the ``max_per_image`` best.

    Args:
        bboxes: [N, 4] xyxy.
        scores: [N, C].
        iou_threshold: IoU above which NMS removes the lower box.
        score_threshold: Lower scores are dropped.
        max_per_image: Greatest number of detections besides the best boxes of classes.

    Returns:
        ``bboxes`` [M, 4], ``scores`` [M] falling, ``labels`` [M].
    """
    best = torch.zeros_like(scores, dtype=torch.bool)
    best.scatter_(0, scores.argmax(0, keepdim=True), True)
    boxes, labels = ((scores > score_threshold) | best).nonzero(as_tuple=True)
    found = InstanceData(bboxes=bboxes[boxes], scores=scores[boxes, labels], labels=labels)
    kept = nms(found, iou_threshold)
    ranks = torch.arange(len(kept), device=kept.device)
    return found[kept[(ranks < max_per_image) | best[boxes[kept], labels[kept]]]]
