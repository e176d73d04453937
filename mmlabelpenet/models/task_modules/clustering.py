"""Centres of proposal clusters, PCL's pseudo instances."""

import torch
from mmdet.structures.bbox import bbox_overlaps
from mmengine.structures import InstanceData
from torch import Tensor


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
    bboxes: Tensor,
    scores: Tensor,
    tags: Tensor,
    max_per_class: int = 5,
    iou_threshold: float = 0.4,
    num_candidates: int = 100,
    num_groups: int = 3,
) -> InstanceData:
    """Cluster centres of every tagged class (Tang et al., PCL, TPAMI 2018, section 3.2.2).

    The highest scoring proposals of a class (k-means) are joined in a graph where they overlap.
    The one with the most neighbours is a centre of the greatest score among them; it and they
    leave the graph, and so on. Unlike the authors' code, which goes on and then keeps the best
    scored centres, this stops at ``max_per_class``.

    Args:
        bboxes: [N, 4] xyxy.
        scores: [N, C], not negative.
        tags: [C] in {0, 1}.
        max_per_class: Greatest number of centres of one class.
        iou_threshold: IoU above which two proposals are neighbours.
        num_candidates: Best proposals of each class that take part.
        num_groups: Groups of k-means, of which the highest takes part.

    Returns:
        ``bboxes`` [M, 4], ``labels`` [M] and ``scores`` [M], ordered by class, then as found.
    """
    tagged = tags.nonzero()[:, 0]
    of_class = scores.t()[tagged]
    group = top_group(of_class, num_groups)
    top_scores, top = of_class.topk(min(num_candidates, len(bboxes)), dim=1)
    alive = group.gather(1, top)
    boxes = bboxes[top]
    joined = bbox_overlaps(boxes, boxes) > iou_threshold
    joined |= torch.eye(top.shape[1], dtype=torch.bool, device=bboxes.device)
    rows = torch.arange(len(tagged), device=bboxes.device)
    found = []
    for _ in range(max_per_class):
        degree = (joined & alive[:, None]).sum(2).masked_fill(~alive, -1)
        centre = degree.argmax(1)  # of equals the first, which scores highest
        around = joined[rows, centre] & alive
        best = top_scores.masked_fill(~around, 0).amax(1)
        found.append((boxes[rows, centre], best, alive.any(1)))
        alive = alive & ~around
    centres, best, valid = (torch.stack(part, dim=1) for part in zip(*found))
    labels = tagged[:, None].expand_as(valid)
    return InstanceData(bboxes=centres[valid], labels=labels[valid], scores=best[valid])
