"""Assigning proposals to pseudo instances and sampling among them, without host round trips."""

import torch
from mmengine.structures import InstanceData
from torch import Tensor

from mmlabelpenet.structures.boxes import box_iou

IGNORED = -1


def draw_boxes(bboxes: Tensor, count: int | None) -> Tensor:
    """Draw ``count`` of the boxes [N, 4] at random; all of them, as they stand, where None."""
    if count is None or len(bboxes) <= count:
        return bboxes
    return bboxes[torch.randperm(len(bboxes), device=bboxes.device)[:count]]


def assign_pseudo_labels(
    bboxes: Tensor,
    pseudo_instances: InstanceData,
    num_classes: int,
    pos_iou: float = 0.5,
    neg_iou: tuple[float, float] = (0.1, 0.5),
) -> InstanceData:
    """Give every box the label and the weight of the pseudo instance that it overlaps most.

    A box of IoU >= ``pos_iou`` is foreground, one within ``neg_iou`` background, any other is
    ignored (thresholds of PCL). Background carries the weight of its pseudo instance too, as
    in OICR: next to a doubtful box nothing is certain. Without pseudo instances all is
    background of weight 1.

    Args:
        bboxes: [N, 4] xyxy.
        pseudo_instances: M instances with ``bboxes``, ``labels`` and ``weights``.
        num_classes: C, which is also the label of background.
        pos_iou: Least IoU of foreground.
        neg_iou: Least IoU (included) and greatest IoU (excluded) of background.

    Returns:
        ``bboxes`` [N, 4]; ``labels`` [N] in 0..C or -1 for ignored; ``weights`` [N], 0 where
        ignored; ``assigned`` [N], the index of the pseudo instance; ``targets`` [N, 4], its box.
    """
    count = len(bboxes)
    if len(pseudo_instances) == 0:
        return InstanceData(
            bboxes=bboxes,
            labels=torch.full((count,), num_classes, device=bboxes.device),
            weights=bboxes.new_ones(count),
            assigned=torch.zeros(count, dtype=torch.long, device=bboxes.device),
            targets=bboxes,
        )
    overlaps, assigned = box_iou(bboxes, pseudo_instances.bboxes).max(1)
    background = (overlaps >= neg_iou[0]) & (overlaps < neg_iou[1])
    labels = torch.full_like(assigned, IGNORED).masked_fill(background, num_classes)
    labels = torch.where(overlaps >= pos_iou, pseudo_instances.labels[assigned], labels)
    weights = pseudo_instances.weights[assigned] * (labels != IGNORED)
    return InstanceData(
        bboxes=bboxes,
        labels=labels,
        weights=weights,
        assigned=assigned,
        targets=pseudo_instances.bboxes[assigned],
    )


def sample_rois(
    assigned: InstanceData, num_classes: int, num_samples: int, pos_fraction: float
) -> InstanceData:
    """Draw regions at random, foreground first and up to its share.

    The number drawn is fixed, so that no size is read back from the device: where foreground
    and background do not fill it, ignored regions of weight 0 do.

    Args:
        assigned: N regions of :func:`assign_pseudo_labels`.
        num_classes: C, the label of background.
        num_samples: Number of regions wanted.
        pos_fraction: Greatest share of foreground.

    Returns:
        min(N, num_samples) regions with the same fields.
    """
    labels = assigned.labels
    noise = torch.rand(len(labels), device=labels.device)
    positive = (labels != IGNORED) & (labels != num_classes)
    rank = torch.where(positive, noise, noise + 1).argsort().argsort()
    # 3: foreground within its share, 2: background, 1: further foreground, 0: ignored.
    priority = torch.where(positive, 1, torch.where(labels == num_classes, 2, 0))
    priority = torch.where(positive & (rank < int(num_samples * pos_fraction)), 3, priority)
    count = min(num_samples, len(labels))
    return assigned[(priority + noise).topk(count).indices]
