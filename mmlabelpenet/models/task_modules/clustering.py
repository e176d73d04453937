"""Centres of proposal clusters, PCL's pseudo instances."""

from collections.abc import Sequence

import torch
from mmengine.structures import InstanceData
from torch import Tensor

from mmlabelpenet.structures.boxes import box_iou
from mmlabelpenet.structures.selecting import kept_indices


def top_group(scores: Tensor, num_groups: int = 3, steps: int = 10) -> Tensor:
    """Select the highest group of scores in each row, by k-means.

    Centres start evenly spread between the least and the greatest score, so that nothing is
    drawn at random.

    Args:
        scores: [T, N].
        num_groups: Groups of each row (PCL: 3).
        steps: Rounds of k-means.

    Returns:
        [T, N] bool; True in the highest group, which always has the greatest score.
    """
    low, high = scores.amin(1, keepdim=True), scores.amax(1, keepdim=True)
    spread = torch.linspace(0, 1, num_groups, device=scores.device, dtype=scores.dtype)
    centres = low + (high - low) * spread
    for _ in range(steps):
        nearest = (scores[:, :, None] - centres[:, None]).abs().argmin(2)
        members = torch.nn.functional.one_hot(nearest, num_groups).to(scores.dtype)
        counts = members.sum(1)
        means = (members * scores[:, :, None]).sum(1) / counts.clamp(min=1)
        centres = torch.where(counts > 0, means, centres)
    nearest = (scores[:, :, None] - centres[:, None]).abs().argmin(2)
    return (nearest == num_groups - 1) | (scores == high)


def mine_proposal_clusters(
    bboxes: Sequence[Tensor],
    scores: Sequence[Tensor],
    tags: Sequence[Tensor],
    max_per_class: int = 5,
    iou_threshold: float = 0.4,
    num_candidates: int = 100,
    num_groups: int = 3,
) -> list[InstanceData]:
    """Cluster centres of every tagged class (Tang et al., PCL, TPAMI 2018, section 3.2.2).

    The highest scoring proposals of a class (k-means) are joined in a graph where they overlap.
    The one with the most neighbours is a centre of the greatest score among them; it and they
    leave the graph, and so on. Unlike the authors' code, which goes on and then keeps the best
    scored centres, this stops at ``max_per_class``.

    Args:
        bboxes: For each image [N_i, 4] xyxy.
        scores: For each image [N_i, C], not negative.
        tags: For each image [C] in {0, 1}.
        max_per_class: Greatest number of centres of one class.
        iou_threshold: IoU above which two proposals are neighbours.
        num_candidates: Best proposals of each class that take part.
        num_groups: Groups of k-means, of which the highest takes part.

    Returns:
        For each image ``bboxes`` [M, 4], ``labels`` [M] and ``scores`` [M], ordered by class, then
        as found.
    """
    tagged = kept_indices([one > 0 for one in tags])
    centres = [
        _centres(own, score.t()[rows], max_per_class, iou_threshold, num_candidates, num_groups)
        for own, score, rows in zip(bboxes, scores, tagged)
    ]
    kept = kept_indices([valid for *_, valid in centres])
    return [
        InstanceData(
            bboxes=boxes.flatten(0, 1)[places],
            labels=rows[places // max_per_class],
            scores=best.flatten()[places],
        )
        for (boxes, best, _), rows, places in zip(centres, tagged, kept)
    ]


def _centres(
    bboxes: Tensor,
    of_class: Tensor,
    max_per_class: int,
    iou_threshold: float,
    num_candidates: int,
    num_groups: int,
) -> tuple[Tensor, Tensor, Tensor]:
    """Centres [T, max_per_class, 4] of T classes, their scores, and whether there are so many."""
    group = top_group(of_class, num_groups)
    top_scores, top = of_class.topk(min(num_candidates, len(bboxes)), dim=1)
    alive = group.gather(1, top)
    boxes = bboxes[top]
    joined = box_iou(boxes, boxes) > iou_threshold
    joined |= torch.eye(top.shape[1], dtype=torch.bool, device=bboxes.device)
    rows = torch.arange(len(of_class), device=bboxes.device)
    found = []
    for _ in range(max_per_class):
        degree = (joined & alive[:, None]).sum(2).masked_fill(~alive, -1)
        centre = degree.argmax(1)  # of equals the first, which scores highest
        around = joined[rows, centre] & alive
        best = top_scores.masked_fill(~around, 0).amax(1)
        found.append((boxes[rows, centre], best, alive.any(1)))
        alive = alive & ~around
    centres, best, valid = (torch.stack(part, dim=1) for part in zip(*found))
    return centres, best, valid
