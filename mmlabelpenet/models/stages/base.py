"""The one interface of the cascade's modules."""

from abc import ABCMeta, abstractmethod
from collections.abc import Sequence

from mmengine.model import BaseModule
from mmengine.structures import InstanceData
from torch import Tensor

from mmlabelpenet.structures import Evidence


class Stage(BaseModule, metaclass=ABCMeta):
    """A module of the cascade: it takes the evidence, adds to it and hands it on.

    No stage reaches into another; what one knows of the others stands in the evidence.

    Attributes:
        needs: Name of the stage whose result :meth:`predict` starts from, if any.
        makes_masks: Whether the result of :meth:`predict` carries masks.
    """

    needs: str | None = None
    makes_masks = False

    @abstractmethod
    def loss(self, feats: Sequence[Tensor], evidence: list[Evidence]) -> dict[str, Tensor]:
        """Losses of this stage on the evidence that it is given.

        Args:
            feats: Backbone maps of a batch of B images.
            evidence: What the stages before made of each of them.

        Returns:
            Scalars by name, each name starting with ``loss``.
        """

    @abstractmethod
    def propagate(self, feats: Sequence[Tensor], evidence: list[Evidence]) -> list[Evidence]:
        """Evidence made finer (labels travel down), detached."""

    @abstractmethod
    def predict(self, feats: Sequence[Tensor], evidence: list[Evidence]) -> list[InstanceData]:
        """This stage's own result.

        Returns:
            For each image ``bboxes`` [M, 4], ``scores`` [M], ``labels`` [M]; in input pixels,
            or, with ``masks`` [M, H, W], in image pixels.
        """

    @abstractmethod
    def score_regions(
        self, feats: Sequence[Tensor], evidence: list[Evidence]
    ) -> list[tuple[Tensor, Tensor]]:
        """What boxes this stage makes of the proposals, before any is left out.

        Returns:
            For each image scores [N, C] and boxes [N, 4], in the order of its N proposals.
        """

    def validate(self, feats: Sequence[Tensor], evidence: list[Evidence]) -> list[Evidence]:
        """Evidence weighed again on the way back (labels travel up), detached.

        A stage without an opinion hands it on as it is.
        """
        return evidence
