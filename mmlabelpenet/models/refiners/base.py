"""The interface of refiners."""

from abc import ABCMeta, abstractmethod
from collections.abc import Iterable, Sequence

from mmengine.model import BaseModule, ModuleList

from mmlabelpenet.registry import MODELS
from mmlabelpenet.structures import Evidence, Maps, grid_size


class Refiner(BaseModule, metaclass=ABCMeta):
    """Refines maps of an image by its features or its colours.

    Attributes:
        stride: Of the grid of the refined maps, in pixels of the network input.
    """

    stride: int

    @abstractmethod
    def forward(self, evidence: Evidence, maps: Maps) -> Maps:
        """Refine maps.

        Args:
            evidence: Of the image; ``feats`` or ``image`` are read.
            maps: [M, h, w], not negative.

        Returns:
            [M, h', w'] in 0..1 on the grid of :attr:`stride`, each divided by its maximum.
        """


def build_refiners(configs: dict | Sequence[dict] | None) -> ModuleList:
    """Build one refiner or several in their order; None gives an empty list."""
    listed = [configs] if isinstance(configs, dict) else configs or []
    return ModuleList([MODELS.build(config) for config in listed])


def refine(refiners: Iterable[Refiner], evidence: Evidence, maps: Maps) -> Maps:
    """Refine maps by one refiner after the other; no maps stay none, on the last one's grid."""
    for refiner in refiners:
        if len(maps.values) > 0:
            maps = refiner(evidence, maps)
        else:
            maps = maps.resample(refiner.stride, grid_size(evidence.img_shape, refiner.stride))
    return maps
