"""What the detector does with pseudo instances beside handing them on."""

from collections.abc import Sequence

import torch
from mmengine.structures import InstanceData
from torch import Tensor

from mmlabelpenet.structures import Evidence

from ..grids import maps_on_image


def above(evidence: Evidence, threshold: float) -> Evidence:
    """The evidence, its pseudo instances of a lower weight than ``threshold`` teaching nothing."""
    if threshold <= 0 or 'pseudo_instances' not in evidence:
        return evidence
    evidence = evidence.clone()
    pseudo = evidence.pseudo_instances.clone()
    pseudo.weights = pseudo.weights * (pseudo.weights >= threshold)
    evidence.pseudo_instances = pseudo
    return evidence


def supervision(evidence: Sequence[Evidence]) -> dict[str, Tensor]:
    """For the log: pseudo instances an image that count, and their mean weight."""
    if 'pseudo_instances' not in evidence[0]:
        return {}
    weights = torch.cat([one.pseudo_instances.weights for one in evidence]).float()
    count = (weights > 0).sum()
    return dict(pseudo=count / len(evidence), pseudo_v=weights.sum() / count.clamp(min=1))


def pseudo_result(evidence: Evidence, maps: str) -> InstanceData:
    """Pseudo instances in image pixels, for measuring them like a result; masks are ``maps``."""
    pseudo = evidence.pseudo_instances
    scale = pseudo.bboxes.new_tensor(evidence.scale_factor * 2)
    result = InstanceData(
        bboxes=pseudo.bboxes / scale, scores=pseudo.weights, labels=pseudo.labels
    )
    height, width = evidence.ori_shape[:2]
    if len(pseudo) == 0 or maps not in pseudo:
        result.masks = result.labels.new_zeros((len(pseudo), height, width), dtype=torch.bool)
        return result
    result.masks = maps_on_image(pseudo[maps], evidence.instance_stride, evidence) >= 0.5
    return result
