"""Sharpening of maps by a fully connected CRF."""

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor

from mmlabelpenet.registry import MODELS
from mmlabelpenet.utils import UserError

from ..grids import normalise, resample, valid_cells


@MODELS.register_module()
class DenseCRF(BaseModule):
    """Fits maps to the colours of the whole image (Kraehenbuehl and Koltun, NIPS 2011).

    It serves in the place of ``PixelAffinity`` and runs in pydensecrf, on the CPU: a detour over
    the host in every step of a GPU, so rather for making pseudo labels than for training there.
    The default parameters are those that helped in the project's yardsticks.

    Args:
        mean: Of the image's normalisation, one value or one for each channel (R, G, B).
        std: Of the image's normalisation.
        stride: Of the grid on which maps are sharpened, in pixels of the network input.
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
    def forward(self, image: Tensor, maps: Tensor, stride: int) -> Tensor:
        """Sharpen maps of one image.

        Args:
            image: [3, h, w] as the network sees it, without padding.
            maps: [M, h / stride, w / stride] in 0..1.
            stride: Of their grid.

        Returns:
            [M, h', w'] in 0..1 on the grid of :attr:`stride`, each divided by its maximum.
        """
        size = valid_cells(image.shape[1:], self.stride)
        if len(maps) == 0:
            return maps.new_zeros(0, *size)
        maps = resample(maps[None].float(), stride, self.stride, size)[0]
        probability = (self.gain * (maps - 0.5)).sigmoid().clamp(0.01, 0.99)
        colours = self._colours(image, size)
        fitted = [self._fit(colours, one) for one in probability.cpu().numpy()]
        return normalise(torch.from_numpy(np.stack(fitted)).to(maps))

    def _colours(self, image: Tensor, size: tuple[int, int]) -> np.ndarray:
        """Colours [h', w', 3] of the cells as bytes."""
        below, right = (-side % self.stride for side in image.shape[1:])
        padded = F.pad(image[None].float(), (0, right, 0, below), mode='replicate')
        cells = F.avg_pool2d(padded, self.stride)[0, :, : size[0], : size[1]].permute(1, 2, 0)
        restored = cells.cpu().numpy() * np.asarray(self.std) + np.asarray(self.mean)
        return np.ascontiguousarray(restored.round().clip(0, 255).astype(np.uint8))

    def _fit(self, colours: np.ndarray, probability: np.ndarray) -> np.ndarray:
        """Probability [h', w'] of foreground after inference."""
        from pydensecrf.densecrf import DenseCRF2D

        height, width = probability.shape
        crf = DenseCRF2D(width, height, 2)
        both = np.stack([1 - probability, probability]).reshape(2, -1)
        crf.setUnaryEnergy(np.ascontiguousarray(-np.log(both), dtype=np.float32))
        near, alike, weight = self.bilateral
        crf.addPairwiseBilateral(sxy=near, srgb=alike, rgbim=colours, compat=weight)
        near, weight = self.spatial
        crf.addPairwiseGaussian(sxy=near, compat=weight)
        return np.asarray(crf.inference(self.steps))[1].reshape(height, width)
