"""Choosing pseudo instances and final detections among scored boxes."""

import math
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from mmcv import ops
from mmengine.structures import InstanceData
from torch import Tensor

from mmlabelpenet.structures.boxes import box_iou, paired_iou
from mmlabelpenet.structures.selecting import kept_indices

from .clustering import mine_proposal_clusters


def mine_pseudo_instances(
    bboxes: Sequence[Tensor],
    scores: Sequence[Tensor],
    tags: Sequence[Tensor],
    keep_ratio: float = 0.7,
    max_per_class: int = 5,
    iou_threshold: float = 0.3,
    num_candidates: int = 100,
) -> list[InstanceData]:
    """Pseudo instances of every tagged class (docs/paper/method.md, forward calibration).

    The best box of a tagged class is always taken; further ones where they survive NMS and
    reach ``keep_ratio`` of the best score. All images and classes go through NMS at once.

    Args:
        bboxes: For each image [N_i, 4] xyxy.
        scores: For each image [N_i, C], not negative.
        tags: For each image [C] in {0, 1}.
        keep_ratio: Share of the class's best score that a further box must reach.
        max_per_class: Greatest number of boxes of one class (PCL: 5).
        iou_threshold: IoU above which NMS removes the lower box.
        num_candidates: Best boxes of each class that take part.

    Returns:
        For each image ``bboxes`` [M, 4], ``labels`` [M] and ``scores`` [M], ordered by class, then
        score.
    """
    best = [one.t().topk(min(num_candidates, len(one)), dim=1) for one in scores]
    most = max(values.shape[1] for values, _ in best)
    gaps = [most - values.shape[1] for values, _ in best]
    top = torch.stack([F.pad(one.values, (0, gap), value=-1) for one, gap in zip(best, gaps)])
    boxes = torch.stack(
        [F.pad(own[one.indices], (0, 0, 0, gap)) for own, one, gap in zip(bboxes, best, gaps)]
    )
    keep = (torch.stack(list(tags))[..., None] > 0) & (top >= keep_ratio * top[..., :1])
    picks, valid = pick_apart(boxes, keep, iou_threshold, max_per_class)
    return [
        InstanceData(
            bboxes=box.gather(1, pick[..., None].expand(-1, -1, 4)).flatten(0, 1)[places],
            labels=places // max_per_class,
            scores=score.gather(1, pick).flatten()[places],
        )
        for box, score, pick, places in zip(boxes, top, picks, kept_indices(valid))
    ]


def pick_apart(
    bboxes: Tensor, alive: Tensor, iou_threshold: float, count: int
) -> tuple[Tensor, Tensor]:
    """NMS that stops at the best few: greedy, of any number of rows of candidates at once.

    Args:
        bboxes: [..., K, 4] xyxy, the best first in each row.
        alive: [..., K], which of them take part.
        iou_threshold: IoU above which the lower box is removed.
        count: Number of boxes wanted of a row.

    Returns:
        Places [..., count] in the row, and whether there was a box left for each.
    """
    picks, valid = [], []
    for _ in range(count):
        first = alive.byte().argmax(-1, keepdim=True)  # of equals the first
        picks.append(first)
        valid.append(alive.any(-1, keepdim=True))
        best = bboxes.gather(-2, first[..., None].expand(*first.shape, 4))
        alive = alive & (paired_iou(best, bboxes) <= iou_threshold)
        alive = alive.scatter(-1, first, False)
    return torch.cat(picks, dim=-1), torch.cat(valid, dim=-1)


def nms(instances: InstanceData, iou_threshold: float) -> Tensor:
    """Indices of the instances that class-wise NMS keeps, by falling score.

    All classes pass at once, each moved to a place of its own.
    """
    bboxes = instances.bboxes
    moved = bboxes + (instances.labels.to(bboxes) * (bboxes.max() + 1))[:, None]
    return ops.nms(moved, instances.scores, iou_threshold)[1]


MINERS = {'peaks': mine_pseudo_instances, 'clusters': mine_proposal_clusters}


def mine(
    bboxes: Sequence[Tensor],
    scores: Sequence[Tensor],
    tags: Sequence[Tensor],
    method: str = 'peaks',
    **settings: Any,
) -> list[InstanceData]:
    """Pseudo instances of a batch by the method that a config names.

    Args:
        bboxes: For each image [N_i, 4] xyxy.
        scores: For each image [N_i, C], not negative.
        tags: For each image [C] in {0, 1}.
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
    vote_iou: float | None = None,
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
        vote_iou: Least IoU of the boxes of its class that vote about a detection's box, see
            :func:`voted_boxes`; None keeps its own box.

    Returns:
        ``bboxes`` [M, 4], ``scores`` [M] falling, ``labels`` [M].
    """
    count, flat = 4 * max_per_image, scores.flatten()
    flat = flat.masked_fill(flat <= score_threshold, -math.inf)
    while True:
        # Lower scores cannot change what NMS does to these.
        top, places = flat.topk(min(count, len(flat)))
        boxes, labels = places // scores.shape[1], places % scores.shape[1]
        every = InstanceData(bboxes=bboxes[boxes], scores=top, labels=labels)
        found = every[nms(every, iou_threshold)]
        if len(found) >= max_per_image or count >= len(flat):
            break
        count *= 4
    if vote_iou is not None:
        found.bboxes = voted_boxes(found, every, vote_iou)
    return _with_best(found, bboxes, scores, max_per_image)


def voted_boxes(kept: InstanceData, every: InstanceData, iou_threshold: float) -> Tensor:
    """Boxes of detections as the mean of those they stand for (Gidaris, Komodakis, ICCV 2015).

    Args:
        kept: M detections after NMS, with ``bboxes``, ``labels``.
        every: N detections before it, with ``scores`` too, which are the weights.
        iou_threshold: Least IoU of a box that votes, of the same class.

    Returns:
        [M, 4]; the own box where nothing votes.
    """
    votes = box_iou(kept.bboxes, every.bboxes) >= iou_threshold
    votes = votes & (kept.labels[:, None] == every.labels)
    weights = votes * every.scores.clamp(min=0)
    total = weights.sum(1, keepdim=True)
    mean = weights @ every.bboxes / total.clamp(min=1e-12)
    return torch.where(total > 0, mean, kept.bboxes)


def _with_best(
    found: InstanceData, bboxes: Tensor, scores: Tensor, max_per_image: int
) -> InstanceData:
    """The best detections, and the best one of every class, by falling score."""
    real = found.scores > -math.inf
    alike = (found.labels[:, None] == found.labels) & real
    ranks = torch.arange(len(found), device=scores.device)
    taken = real & ((ranks < max_per_image) | ~alike.tril(-1).any(1))
    classes = torch.arange(scores.shape[1], device=scores.device)
    missing = ~((classes[:, None] == found.labels) & real).any(1)
    kept, absent = kept_indices([taken, missing])
    best = scores.argmax(0)[absent]
    further = InstanceData(bboxes=bboxes[best], scores=scores[best, absent], labels=absent)
    joined = InstanceData.cat([found[kept], further])
    return joined[joined.scores.argsort(descending=True, stable=True)]
