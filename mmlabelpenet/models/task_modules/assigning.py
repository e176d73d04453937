"""Assigning proposals to pseudo instances and sampling among them, without host round trips."""

from collections.abc import Sequence
from itertools import accumulate

import torch
import torch.nn.functional as F
from mmengine.structures import InstanceData
from torch import Tensor

from mmlabelpenet.structures.boxes import box_iou

IGNORED = -1
# In place of the label of a region that an image does not have.
PADDING = -2
# What is read of pseudo instances.
KNOWN = ('bboxes', 'labels', 'weights')


def draw_boxes(bboxes: Tensor, count: int | None) -> Tensor:
    """Draw ``count`` of the boxes [N, 4] at random; all of them, as they stand, where None."""
    if count is None or len(bboxes) <= count:
        return bboxes
    return bboxes[torch.randperm(len(bboxes), device=bboxes.device)[:count]]


def image_numbers(sizes: Sequence[int], device: torch.device) -> Tensor:
    """The number of its image [sum of sizes] for each element of the images of a batch."""
    parts = [torch.full((size,), image, device=device) for image, size in enumerate(sizes)]
    return torch.cat(parts)


def assign_pseudo_labels(
    bboxes: Sequence[Tensor],
    pseudo_instances: Sequence[InstanceData],
    num_classes: int,
    pos_iou: float = 0.5,
    neg_iou: tuple[float, float] = (0.1, 0.5),
) -> list[InstanceData]:
    """Give every box the label and the weight of the pseudo instance that it overlaps most.

    A box of IoU >= ``pos_iou`` is foreground, one within ``neg_iou`` background, any other is
    ignored (thresholds of PCL). Background carries the weight of its pseudo instance too, as
    in OICR: next to a doubtful box nothing is certain. In an image without pseudo instances all is
    background of weight 1. All images of a batch are assigned at once.

    Args:
        bboxes: For each image [N_i, 4] xyxy.
        pseudo_instances: For each image M_i instances with ``bboxes``, ``labels`` and ``weights``.
        num_classes: C, which is also the label of background.
        pos_iou: Least IoU of foreground.
        neg_iou: Least IoU (included) and greatest IoU (excluded) of background.

    Returns:
        For each image ``bboxes`` [N, 4]; ``labels`` [N] in 0..C or -1 for ignored; ``weights``
        [N], 0 where ignored; ``assigned`` [N], the index of the pseudo instance; ``targets``
        [N, 4], its box.
    """
    boxes, sizes = torch.cat(list(bboxes)), [len(one) for one in bboxes]
    counts = [len(one) for one in pseudo_instances]
    known = [torch.cat([one[name] for one in pseudo_instances]) for name in KNOWN]
    # One instance more, of no image, so that an index of instances is valid without any.
    own, labels, weights = (F.pad(one, (0,) * (2 * one.ndim - 1) + (1,)) for one in known)
    images, of = (image_numbers(n, boxes.device) for n in (sizes, [*counts, 1]))
    overlaps = box_iou(boxes, own).masked_fill(images[:, None] != of, -1)
    overlaps, assigned = overlaps.max(1)
    background = (overlaps >= neg_iou[0]) & (overlaps < neg_iou[1])
    unknown = overlaps < 0
    label = torch.full_like(assigned, IGNORED).masked_fill(background | unknown, num_classes)
    label = torch.where(overlaps >= pos_iou, labels[assigned], label)
    weight = (weights[assigned] * (label != IGNORED)).masked_fill(unknown, 1)
    targets = torch.where(unknown[:, None], boxes, own[assigned])
    starts = [0, *accumulate(counts)]
    return [
        InstanceData(
            bboxes=box, labels=one, weights=w, assigned=(index - start).clamp(min=0), targets=t
        )
        for box, one, w, index, start, t in zip(
            *(parts.split(sizes) for parts in (boxes, label, weight, assigned)),
            starts,
            targets.split(sizes),
        )
    ]


def sample_rois(
    assigned: Sequence[InstanceData], num_classes: int, num_samples: int, pos_fraction: float
) -> list[InstanceData]:
    """Draw regions of each image at random, foreground first and up to its share.

    The number drawn is fixed, so that no size is read back from the device: where foreground
    and background do not fill it, ignored regions of weight 0 do.

    Args:
        assigned: For each image N_i regions of :func:`assign_pseudo_labels`.
        num_classes: C, the label of background.
        num_samples: Number of regions wanted of an image.
        pos_fraction: Greatest share of foreground.

    Returns:
        For each image min(N_i, num_samples) regions with the same fields.
    """
    sizes = [len(one) for one in assigned]
    most = max(sizes)
    padded = [F.pad(one.labels, (0, most - len(one)), value=PADDING) for one in assigned]
    labels = torch.stack(padded)
    noise = torch.rand(labels.shape, device=labels.device)
    positive = (labels >= 0) & (labels != num_classes)
    rank = torch.where(positive, noise, noise + 1).argsort(1).argsort(1)
    # 3: foreground within its share, 2: background, 1: further foreground, 0: ignored.
    priority = torch.where(positive, 1, torch.where(labels == num_classes, 2, 0))
    priority = torch.where(positive & (rank < int(num_samples * pos_fraction)), 3, priority)
    priority = torch.where(labels == PADDING, -1, priority)
    drawn = (priority + noise).topk(min(num_samples, most), dim=1).indices
    kept = [min(num_samples, size) for size in sizes]
    starts = accumulate([0, *sizes[:-1]])
    places = torch.cat([row[:n] + start for row, n, start in zip(drawn, kept, starts)])
    chosen = {
        name: torch.cat([one[name] for one in assigned])[places].split(kept)
        for name, _ in assigned[0].items()
    }
    return [InstanceData(**dict(zip(chosen, parts))) for parts in zip(*chosen.values())]
