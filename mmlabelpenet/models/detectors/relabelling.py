"""New labels of tagged images: what the modules find together after they have learned."""

from collections.abc import Sequence

import torch
from mmengine.structures import InstanceData
from torch import Tensor

from mmlabelpenet.structures import Evidence, Maps
from mmlabelpenet.structures.boxes import box_area, paired_overlap
from mmlabelpenet.structures.maps import normalise

from ..calibration import connected_to_peak
from ..stages import BoxStage, LabelSource, SegmentationStage
from ..task_modules import mine
from .cascade import Cascade


@torch.no_grad()
def relabelled(
    cascade: Cascade,
    evidence: list[Evidence],
    further: float = 0.7,
    inside: float = 0.5,
    threshold: float = 0.5,
) -> list[Evidence]:
    """Label tagged images by all modules together; not a part of Label-PEnet as published.

    A box counts by the geometric mean of the scores that the modules with boxes give it. The best
    one of each tagged class, and others of a high score, are moved to where the last module
    regresses them. The mask that it draws there and the calibrated attention in the same
    box, two maps that err in different places, are averaged; the label is the part of the mean
    that is connected to its peak, and the tight box of that part.

    Args:
        cascade: In evaluation mode; its last stage finds masks.
        evidence: Of tagged images, before stage 1.
        further: Least score of a further instance of a class.
        inside: A further instance is left out if more than this share of its box lies in a better
            one of its class: such boxes are mostly parts of its object.
        threshold: Share of the peak that belongs to the object.

    Returns:
        The evidence with ``pseudo_instances``: their weights are the scores, their ``attention``
        is the mean map, on the grid of ``instance_stride``.

    Raises:
        TypeError: If the last stage finds no masks.
    """
    feats, source = evidence[0].batch_feats, cascade.steps[cascade.seeding[1]]
    stages = [stage for stage in cascade.values() if isinstance(stage, BoxStage)]
    last = stages[-1]
    if not isinstance(last, SegmentationStage) or not isinstance(source, LabelSource):
        raise TypeError(f'{type(last).__name__} finds no masks: labels are made anew by stage 4')
    evidence = cascade.seed(feats, evidence)
    scored = [stage.score_regions(feats, evidence) for stage in stages]
    scores = [_mean_score([each for each, _ in own]) for own in zip(*scored)]
    bboxes = [own for _, own in scored[-1]]
    found = mine(bboxes, scores, [one.tags for one in evidence], **last.mining)
    found = [one[_trusted(one, further, inside)] for one in found]
    located = last.located(feats, evidence, found)
    return [_labelled(one, source, threshold) for one in located]


def _mean_score(scores: Sequence[Tensor]) -> Tensor:
    """Geometric mean of scores [N, C] of several modules."""
    return torch.stack(list(scores)).prod(0) ** (1 / len(scores))


def _trusted(found: InstanceData, further: float, inside: float) -> Tensor:
    """Which instances [M] become labels: the best of each class, and others that lie elsewhere."""
    boxes = found.bboxes
    shares = paired_overlap(boxes[:, None], boxes) / box_area(boxes).clamp(min=1)[:, None]
    better = (found.labels[:, None] == found.labels) & (found.scores > found.scores[:, None])
    elsewhere = (found.scores >= further) & ~((shares > inside) & better).any(1)
    return ~better.any(1) | elsewhere


def _labelled(evidence: Evidence, source: LabelSource, threshold: float) -> Evidence:
    """Pseudo instances from the found ones, whose boxes and masks are already in place."""
    found, stride = evidence.found, evidence.instance_stride
    size = found.masks.shape[-2:]
    attention = source.attention_in(evidence, found).resample(stride, size).values
    maps = normalise(normalise(found.masks) + attention)
    part = connected_to_peak(maps, threshold)
    tight = Maps(part, stride).tight_boxes(evidence.img_shape)
    filled = (tight[:, 2:] > tight[:, :2]).all(1, keepdim=True)
    pseudo = InstanceData(
        bboxes=torch.where(filled, tight, found.bboxes),
        labels=found.labels,
        scores=found.scores,
        weights=found.scores,
        attention=maps * part,
    )
    return evidence.replace(pseudo_instances=pseudo)
