"""Refinement of maps by a fully connected CRF."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from mmlabelpenet.registry import MODELS
from mmlabelpenet.structures import Evidence, Maps
from mmlabelpenet.utils import UserError

from .base import Refiner
from .pixel_affinity import cell_colours


@MODELS.register_module()
class DenseCRF(Refiner):
    """Refines maps by the colours of the whole image (Kraehenbuehl and Koltun, NIPS 2011).

    It replaces ``PixelAffinity`` and runs in pydensecrf on the CPU. On a GPU each step waits for
    the host, so there it suits the export of pseudo labels better than training. The pairwise
    terms are fixed, in cells of the grid and colours of 0..255.

    Args:
        mean: Of the image's normalisation, one value or one for each channel (R, G, B).
        std: Of the image's normalisation.
        stride: Of the grid of the refined maps, in pixels of the network input.
    """

    def __init__(
        self,
        mean: float | Sequence[float] = 127.0,
        std: float | Sequence[float] = 128.0,
        stride: int = 2,
    ) -> None:
        super().__init__()
        try:
            import pydensecrf.densecrf  # noqa: F401
        except ImportError as error:
            raise UserError(
                'DenseCRF needs pydensecrf: pip install pydensecrf2, or use PixelAffinity.'
            ) from error
        self.mean = mean
        self.std = std
        self.stride = stride

    @torch.no_grad()
    def forward(self, evidence: Evidence, maps: Maps) -> Maps:
        """Refine the maps of one image, in 0..1, by its colours; see :class:`Refiner`."""
        colours = self._colours(evidence.image)
        maps = maps.resample(self.stride, colours.shape[:2])
        # Attention of .5 is a probability of .5.
        probability = (8.0 * (maps.values - 0.5)).sigmoid().clamp(0.01, 0.99)
        refined = [self._infer(colours, one) for one in probability.cpu().numpy()]
        values = torch.from_numpy(np.reshape(refined, probability.shape)).to(maps.values)
        return Maps(values, self.stride).normalise()

    def _colours(self, image: Tensor) -> np.ndarray:
        """Colours [h', w', 3] of the cells as bytes."""
        cells = cell_colours(image, self.stride).permute(1, 2, 0).cpu().numpy()
        restored = cells * np.asarray(self.std) + np.asarray(self.mean)
        return np.ascontiguousarray(restored.round().clip(0, 255).astype(np.uint8))

    def _infer(self, colours: np.ndarray, probability: np.ndarray) -> np.ndarray:
        """Probability [h', w'] of foreground after inference."""
        from pydensecrf.densecrf import DenseCRF2D

        height, width = probability.shape
        crf = DenseCRF2D(width, height, 2)
        both = np.stack([1 - probability, probability]).reshape(2, -1)
        crf.setUnaryEnergy(np.ascontiguousarray(-np.log(both), dtype=np.float32))
        crf.addPairwiseBilateral(rgbim=colours, sxy=40.0, srgb=10.0, compat=5.0)
        crf.addPairwiseGaussian(sxy=2.0, compat=3.0)
        return np.asarray(crf.inference(5))[1].reshape(height, width)
