"""The labels of tagged images at each place of the cascade, for measurements."""

from collections.abc import Collection, Iterator, Sequence

import torch
from mmengine.structures import InstanceData
from torch import Tensor

from mmlabelpenet.structures import Evidence

from ..stages import BoxStage, LabelSource
from ..stages.base import MaskStage, label_result
from .cascade import Cascade
from .relabelling import relabelled

Labels = tuple[str, list[InstanceData]]


@torch.no_grad()
def labels_on_their_way(
    cascade: Cascade, evidence: list[Evidence], stages: Collection[str]
) -> Iterator[Labels]:
    """Labels of a batch after each step, on the way down and on the way back.

    Args:
        cascade: In evaluation mode.
        evidence: Of tagged images, before stage 1.
        stages: Names of the stages that have learned; others are left out.

    Yields:
        Name and, for each image, instances as a result, in pixels of the original image:
        ``attention`` and ``calibration``, unless ground truth takes their place; after each stage
        by its name the instances of the tagged classes that it finds itself, and after
        ``passed on by <stage>`` those that the next one learns from, if they are others than
        before; ``validation``, the merged pseudo instances of the way back; ``labelled anew``,
        those of :func:`relabelled`, once the last stage has learned.
    """
    start, feats, (first, name) = evidence, evidence[0].batch_feats, cascade.seeding
    source = cascade.steps[name]
    evidence = cascade.steps[first].propagate(feats, evidence)
    before = [] if cascade.reads_ground_truth else source.uncalibrated(evidence)
    evidence = source.propagate(feats, evidence)
    if before:
        yield 'attention', _pseudo_labels(before)
        yield 'calibration', _pseudo_labels(evidence)
    for name in [one for one in list(cascade.steps)[2:] if one in stages]:
        yield from _found_by(cascade, name, source, evidence)
        passed_on = cascade.steps[name].propagate(feats, evidence)
        if passed_on is not evidence:
            yield f'passed on by {name}', _pseudo_labels(passed_on)
        evidence = passed_on
    if cascade.can_validate and list(cascade)[-1] in stages:
        yield 'validation', _pseudo_labels(cascade.up(evidence))
        yield 'labelled anew', _pseudo_labels(relabelled(cascade, start))


def _pseudo_labels(evidence: Sequence[Evidence]) -> list[InstanceData]:
    """Pseudo instances with their best masks."""
    masks = 'masks' if 'masks' in evidence[0].pseudo_instances else 'attention'
    return [label_result(one, masks) for one in evidence]


def _found_by(
    cascade: Cascade, name: str, source: LabelSource, evidence: list[Evidence]
) -> Iterator[Labels]:
    """Instances of the tagged classes that a stage finds, if it has boxes or masks."""
    stage, feats = cascade.steps[name], evidence[0].batch_feats
    boxes = (
        cascade[cascade.region_stage(name)] if isinstance(stage, BoxStage | MaskStage) else None
    )
    if not isinstance(boxes, BoxStage):
        return
    mined = boxes.mined(feats, evidence)
    found = [one[one.scores.argsort(descending=True, stable=True)] for one in mined]
    if isinstance(stage, MaskStage):
        yield name, stage.with_masks(feats, found, evidence)
    else:
        yield name, [_with_attention(*pair, source) for pair in zip(evidence, found)]


def _with_attention(evidence: Evidence, found: InstanceData, source: LabelSource) -> InstanceData:
    """Boxes as a result whose masks are the attention in them."""
    maps, weights = source.attention_in(evidence, found), found.scores
    fields: dict[str, Tensor] = dict(found.items(), weights=weights, attention=maps.values)
    pseudo = InstanceData(**fields)
    return label_result(
        evidence.replace(pseudo_instances=pseudo, instance_stride=maps.stride), 'attention'
    )
