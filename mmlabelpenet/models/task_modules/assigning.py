"""Assigning proposals to pseudo instances and sampling among them, without host round trips."""

from collections.abc import Iterable, Mapping, Sequence
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


def repeated(values: Iterable[int], sizes: Iterable[int], device: torch.device) -> Tensor:
    """Each value as often as its size says, one after the other [sum of sizes]."""
    return torch.cat(
        [torch.full((size,), value, device=device) for value, size in zip(values, sizes)]
    )


def divided(fields: Mapping[str, Tensor], sizes: list[int]) -> list[InstanceData]:
    """Instances of images from the fields of all of them, one image after the other."""
    parts = zip(*(field.split(sizes) for field in fields.values()))
    return [InstanceData(**dict(zip(fields, part))) for part in parts]


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
    own, labels, weights, overlaps, assigned = _most_overlapped(boxes, sizes, pseudo_instances)
    unknown = overlaps < 0
    background = (overlaps >= neg_iou[0]) & (overlaps < neg_iou[1]) | unknown
    label = torch.full_like(assigned, IGNORED).masked_fill(background, num_classes)
    label = torch.where(overlaps >= pos_iou, labels[assigned], label)
    weight = weights[assigned] * (label != IGNORED)
    starts = accumulate([0, *(len(one) for one in pseudo_instances)])
    fields = dict(
        bboxes=boxes,
        labels=label,
        weights=weight.masked_fill(unknown, 1),
        assigned=(assigned - repeated(starts, sizes, boxes.device)).clamp(min=0),
        targets=torch.where(unknown[:, None], boxes, own[assigned]),
    )
    return divided(fields, sizes)


def _most_overlapped(
    boxes: Tensor, sizes: Sequence[int], pseudo_instances: Sequence[InstanceData]
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """For each box of a batch the instance of its own image that it overlaps most.

    Returns:
        Boxes, labels and weights of the instances of all images and of one more, which is no
        image's; for each box its IoU with its instance, -1 where its image has none, and the place
        of the instance.
    """
    # One more, so that a place is valid where there is no instance at all.
    own, labels, weights = (
        F.pad(field, (0,) * (2 * field.ndim - 1) + (1,))
        for field in (torch.cat([one[key] for one in pseudo_instances]) for key in KNOWN)
    )
    counts = [*(len(one) for one in pseudo_instances), 1]
    image, its_image = (repeated(range(len(n)), n, boxes.device) for n in (sizes, counts))
    overlaps = box_iou(boxes, own).masked_fill(image[:, None] != its_image, -1)
    return own, labels, weights, *overlaps.max(1)


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
    padding = max(sizes)
    labels = torch.stack(
        [F.pad(one.labels, (0, padding - len(one)), value=PADDING) for one in assigned]
    )
    order = _drawing_order(labels, num_classes, int(num_samples * pos_fraction))
    drawn = order.topk(min(num_samples, padding), dim=1).indices
    kept = [min(num_samples, size) for size in sizes]
    starts = accumulate([0, *sizes])
    places = torch.cat([row[:count] + start for row, count, start in zip(drawn, kept, starts)])
    fields = {
        name: torch.cat([one[name] for one in assigned])[places] for name, _ in assigned[0].items()
    }
    return divided(fields, kept)


def _drawing_order(labels: Tensor, num_classes: int, most_foreground: int) -> Tensor:
    """Random numbers [B, N] by whose order the regions of labels [B, N] are drawn."""
    noise = torch.rand(labels.shape, device=labels.device)
    positive = (labels >= 0) & (labels != num_classes)
    rank = torch.where(positive, noise, noise + 1).argsort(1).argsort(1)
    # 3: foreground within its share, 2: background, 1: further foreground, 0: ignored.
    priority = torch.where(positive, 1, torch.where(labels == num_classes, 2, 0))
    priority = torch.where(positive & (rank < most_foreground), 3, priority)
    return torch.where(labels == PADDING, -1, priority) + noise
