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
        ones = none.new_ones(len(truth))
        fields = dict(bboxes=truth.bboxes, labels=truth.labels, scores=ones)
        fields['weights'] = truth.get('weights', ones)
        maps = self._maps(truth, evidence.img_shape)
        pseudo = InstanceData(**fields, attention=maps, masks=maps)
        return evidence.replace(pseudo_instances=pseudo, instance_stride=self.stride)

    def _maps(self, truth: InstanceData, img_shape: Sequence[int]) -> Tensor:
        """Masks [G, h, w] in 0..1 on the grid, each cell the mean of its known pixels."""
        size = grid_size(img_shape, self.stride)
        if len(truth) == 0 or 'masks' not in truth:
            return truth.bboxes.new_full((len(truth), *size), float('nan'))
        masks = truth.masks.to_tensor(torch.uint8, truth.bboxes.device)
        below, right = (-side % self.stride for side in masks.shape[1:])
        masks = F.pad(masks, (0, right, 0, below), value=UNKNOWN)[:, None]
        known, filled = (
            F.avg_pool2d(part.float(), self.stride) for part in (masks != UNKNOWN, masks == 1)
        )
        return (filled / known)[:, 0, : size[0], : size[1]]
