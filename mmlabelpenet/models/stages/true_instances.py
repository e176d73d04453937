"""Ground truth as labels, for the fully supervised bound."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmengine.structures import InstanceData
from torch import Tensor

from mmlabelpenet.registry import MODELS
from mmlabelpenet.structures import Evidence, Step, grid_size

from .base import LabelSource

UNKNOWN = 255


@MODELS.register_module()
class TrueInstances(LabelSource):
    """Supervises the stages by the ground-truth boxes and masks of the training images.

    It replaces :class:`ProposalCalibration`, so that an upper bound has the same stages, heads,
    losses and schedule as the weakly supervised model and differs in its labels alone. It needs
    ``LoadTrueInstances`` in the training pipeline. At test time there are no pseudo instances.

    Args:
        num_classes: C.
        stride: Of the grid of the masks, in pixels of the network input.
    """

    reads_ground_truth = True

    def __init__(self, num_classes: int, stride: int = 2) -> None:
        super().__init__()
        self.stride = stride

    def labels_cacheable(self, step: Step) -> bool:
        """No: the labels cost nothing."""
        return False

    @torch.no_grad()
    def propagate(self, feats: Sequence[Tensor], evidence: list[Evidence]) -> list[Evidence]:
        """Use the ground-truth instances as pseudo instances, of weight 1 unless they have others.

        Args:
            feats: Backbone maps of a batch.
            evidence: With ``ground_truth`` in training: ``bboxes`` [G, 4], ``labels`` [G] and,
                where they are known, ``masks`` and ``weights`` [G].

        Returns:
            The evidence with ``pseudo_instances``; their ``attention`` and ``masks`` are the
            ground-truth masks, nan where nothing is known.
        """
        return [self._with_instances(one) for one in evidence]

    def _with_instances(self, evidence: Evidence) -> Evidence:
        none = evidence.proposals.bboxes[:0]
        empty = InstanceData(bboxes=none, labels=none.new_zeros(0).long())
        truth = evidence.get('ground_truth', empty)
        maps = mask_maps(truth, evidence.img_shape, self.stride)
        pseudo = InstanceData(**box_fields(truth), attention=maps, masks=maps)
        return evidence.replace(pseudo_instances=pseudo, instance_stride=self.stride)


def box_fields(truth: InstanceData) -> dict[str, Tensor]:
    """Boxes, labels, scores and weights of ground-truth instances as those of pseudo instances."""
    ones = truth.bboxes.new_ones(len(truth))
    fields = dict(bboxes=truth.bboxes, labels=truth.labels, scores=ones)
    return fields | dict(weights=truth.get('weights', ones))


def mask_maps(truth: InstanceData, img_shape: Sequence[int], stride: int) -> Tensor:
    """Masks [G, h, w] in 0..1 on a grid, each cell the mean of its known pixels.

    Args:
        truth: G ground-truth instances, perhaps with ``masks``.
        img_shape: (h, w) of the network input.
        stride: Of the grid.

    Returns:
        The maps, nan where no pixel is known.
    """
    size = grid_size(img_shape, stride)
    if len(truth) == 0 or 'masks' not in truth:
        return truth.bboxes.new_full((len(truth), *size), float('nan'))
    masks = truth.masks.to_tensor(torch.uint8, truth.bboxes.device)
    below, right = (-side % stride for side in masks.shape[1:])
    masks = F.pad(masks, (0, right, 0, below), value=UNKNOWN)[:, None]
    known, filled = (F.avg_pool2d(part.float(), stride) for part in (masks != UNKNOWN, masks == 1))
    return (filled / known)[:, 0, : size[0], : size[1]]


def corrected(evidence: Evidence, source: LabelSource) -> Evidence:
    """The evidence of an image with its corrected labels, if it has any, as pseudo instances.

    Args:
        evidence: Perhaps with ``ground_truth``, and then with ``pseudo_instances``.
        source: The label source, whose attention stands in for masks that are unknown.
    """
    if 'ground_truth' not in evidence or 'pseudo_instances' not in evidence:
        return evidence
    truth, stride = evidence.ground_truth, int(evidence.instance_stride)
    maps = mask_maps(truth, evidence.img_shape, stride)
    if maps.isnan().any():
        own = source.attention_in(evidence, truth).resample(stride, maps.shape[1:]).values
        maps = torch.where(maps.isnan(), own, maps)
    names = {'attention', 'masks'} & {*evidence.pseudo_instances.keys()}
    pseudo = InstanceData(**box_fields(truth), **dict.fromkeys(names, maps))
    return evidence.replace(pseudo_instances=pseudo)
