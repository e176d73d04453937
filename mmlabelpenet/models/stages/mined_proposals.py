"""No calibration: the best proposals of stage 1 are the pseudo instances."""

from collections.abc import Sequence

import torch
from torch import Tensor

from mmlabelpenet.registry import MODELS
from mmlabelpenet.structures import Evidence

from ..calibration import mined_instances
from .base import LabelSource


@MODELS.register_module()
class MinedProposals(LabelSource):
    """Mines the proposal scores of stage 1 as they are, as OICR and PCL do.

    It replaces :class:`ProposalCalibration` in ablations and baselines.

    Args:
        num_classes: C.
        mining: Arguments of :func:`mine`.
        dilation: Factor of the sides of a pseudo box within which its instance attention is read.
    """

    def __init__(
        self, num_classes: int, mining: dict | None = None, dilation: float = 1.3
    ) -> None:
        super().__init__()
        self.mining = mining or {}
        self.dilation = dilation

    @torch.no_grad()
    def propagate(self, feats: Sequence[Tensor], evidence: list[Evidence]) -> list[Evidence]:
        """Add ``pseudo_instances`` of tagged classes, weighted by their scores."""
        return [mined_instances(one, self.mining, self.dilation) for one in evidence]
