"""Semantic stage: trains the semantic attention that calibration reads."""

from collections.abc import Sequence

from torch import Tensor

from mmlabelpenet.structures import Evidence

from ..attention import SemanticAttention
from .base import Stage


class SemanticStage(Stage):
    """Supervises :class:`SemanticAttention` by calibrated attention.

    The attention itself is a part of the calibration, which reads it; this stage, right after the
    calibration, only learns: it sees the finished pseudo instances, so the way down stays one
    loop in which every stage reads what the stages before it have made.

    Args:
        attention: The part of the calibration that learns.
    """

    def __init__(self, attention: SemanticAttention) -> None:
        super().__init__()
        self.attention = attention

    def loss(self, feats: Sequence[Tensor], evidence: list[Evidence]) -> dict[str, Tensor]:
        """``loss_semantic`` on the cells that calibrated attention labels."""
        return dict(loss_semantic=self.attention.loss(evidence))

    def propagate(self, feats: Sequence[Tensor], evidence: list[Evidence]) -> list[Evidence]:
        """The evidence, unchanged."""
        return evidence
