"""Refinement of maps by a fully connected CRF."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from mmlabelpenet.registry import MODELS
from mmlabelpenet.structures import Evidence, Maps, grid_size
from mmlabelpenet.utils import UserError

from .base import Refiner
from .pixel_affinity import cell_colours


@MODELS.register_module()
class DenseCRF(Refiner):
    """Refines maps by the colours of the whole image (Kraehenbuehl and Koltun, NIPS 2011).

    It replaces ``PixelAffinity`` and runs in pydensecrf on the CPU. On a GPU each step waits for
    the host, so there it suits the export of pseudo labels better than training.

    Args:
        mean: Of the image's normalisation, one value or one for each channel (R, G, B).
        std: Of the image's normalisation.
        stride: Of the grid of the refined maps, in pixels of the network input.
        gain: Slope of the sigmoid that turns attention, .5 at its middle, into a probability.
        bilateral: Standard deviation in cells, in colours of 0..255, and weight of the pairwise
            term of position and colour.
        spatial: Standard deviation in cells and weight of the pairwise term of position.
        steps: Mean field steps.
    """

    def __init__(
        self,
        mean: float | Sequence[float] = 127.0,
        std: float | Sequence[float] = 128.0,
        stride: int = 2,
        gain: float = 8.0,
        bilateral: tuple[float, float, float] = (40.0, 10.0, 5.0),
        spatial: tuple[float, float] = (2.0, 3.0),
        steps: int = 5,
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
        self.gain = gain
        self.bilateral = bilateral
        self.spatial = spatial
        self.steps = steps

    @torch.no_grad()
    def forward(self, evidence: Evidence, maps: Maps) -> Maps:
        """Refine the maps of one image, in 0..1, by its colours; see :class:`Refiner`."""
        image = evidence.image
        maps = maps.resample(self.stride, grid_size(image.shape[1:], self.stride))
        if len(maps.values) == 0:
            return maps
        probability = (self.gain * (maps.values - 0.5)).sigmoid().clamp(0.01, 0.99)
        colours = self._colours(image, maps.values.shape[1:])
        refined = [self._infer(colours, one) for one in probability.cpu().numpy()]
        return Maps(torch.from_numpy(np.stack(refined)).to(maps.values), self.stride).normalise()

    def _colours(self, image: Tensor, size: Sequence[int]) -> np.ndarray:
        """Colours [h', w', 3] of the cells as bytes."""
        cells = cell_colours(image, self.stride)[:, : size[0], : size[1]].permute(1, 2, 0)
        restored = cells.cpu().numpy() * np.asarray(self.std) + np.asarray(self.mean)
        return np.ascontiguousarray(restored.round().clip(0, 255).astype(np.uint8))

    def _infer(self, colours: np.ndarray, probability: np.ndarray) -> np.ndarray:
        """Probability [h', w'] of foreground after inference."""
        from pydensecrf.densecrf import DenseCRF2D

        height, width = probability.shape
        crf = DenseCRF2D(width, height, 2)
        both = np.stack([1 - probability, probability]).reshape(2, -1)
        crf.setUnaryEnergy(np.ascontiguousarray(-np.log(both), dtype=np.float32))
        bilateral = dict(zip(('sxy', 'srgb', 'compat'), self.bilateral))
        crf.addPairwiseBilateral(rgbim=colours, **bilateral)
        crf.addPairwiseGaussian(**dict(zip(('sxy', 'compat'), self.spatial)))
        return np.asarray(crf.inference(self.steps))[1].reshape(height, width)
