"""In place of calibration: the truth, for the fully supervised bound."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from mmengine.structures import InstanceData
from torch import Tensor

from mmlabelpenet.registry import MODELS
from mmlabelpenet.structures import Evidence

from ..grids import valid_cells

UNKNOWN = 255


@MODELS.register_module()
class TrueInstances(BaseModule):
    """Teaches the stages by the true boxes and masks of the training images.

    It takes the place of :class:`ProposalCalibration`, so that an upper bound has the same stages,
    heads, losses and schedule as the weakly supervised model and differs in its labels alone.
    Needs ``LoadTrueInstances`` in the training pipeline. Images that are tested bring no truth,
    and get no pseudo instances.

    Args:
        stride: Of the grid of the masks, in pixels of the network input.
    """

    mode = 'truth'
    reads_truth = True

    def __init__(self, stride: int = 2) -> None:
        super().__init__()
        self.stride = stride

    def rescore(self, feats: Sequence[Tensor], evidence: list[Evidence]) -> list[Evidence]:
        """Nothing to calibrate: the evidence as it is."""
        return evidence

    @torch.no_grad()
    def forward(self, feats: Sequence[Tensor], evidence: list[Evidence]) -> list[Evidence]:
        """Take the true instances for pseudo instances, all of weight 1.

        Args:
            feats: Backbone maps of a batch.
            evidence: With ``truth`` in training: ``bboxes`` [G, 4], ``labels`` [G] and, where
                they are known, ``masks``.

        Returns:
            The evidence with ``pseudo_instances``; their ``attention`` and ``masks`` are the true
            masks, not a number where nothing is known.
        """
        finer = []
        for one in evidence:
            one = one.clone()
            truth = one.get('truth')
            bboxes = one.proposals.bboxes[:0] if truth is None else truth.bboxes
            labels = bboxes.new_zeros(0).long() if truth is None else truth.labels
            weights = bboxes.new_ones(len(bboxes))
            maps = self._maps(truth, one.img_shape, bboxes)
            one.pseudo_instances = InstanceData(
                bboxes=bboxes,
                labels=labels,
                scores=weights,
                weights=weights,
                attention=maps,
                masks=maps,
            )
            one.set_metainfo(dict(instance_stride=self.stride))
            finer.append(one)
        return finer

    def _maps(self, truth: InstanceData | None, img_shape: Sequence[int], like: Tensor) -> Tensor:
        """Masks [G, h, w] in 0..1 on the grid, each cell the mean of what is known in it."""
        size = valid_cells(img_shape, self.stride)
        if len(like) == 0 or truth is None or 'masks' not in truth:
            return like.new_full((len(like), *size), float('nan'))
        masks = truth.masks.to_tensor(torch.uint8, like.device)
        below, right = (-side % self.stride for side in masks.shape[1:])
        masks = F.pad(masks, (0, right, 0, below), value=UNKNOWN)[:, None]
        known = (masks != UNKNOWN).float()
        share = F.avg_pool2d(known, self.stride)
        filled = F.avg_pool2d((masks == 1).float(), self.stride)
        return (filled / share)[:, 0, : size[0], : size[1]]
