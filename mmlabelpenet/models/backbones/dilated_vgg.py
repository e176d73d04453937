"""VGG16 with a dilated conv5, the backbone of the weakly supervised literature."""

from mmcv.cnn import VGG
from torch import Tensor, nn

from mmlabelpenet.registry import MODELS


@MODELS.register_module()
class DilatedVGG(VGG):
    """VGG whose last pooling is gone and whose conv5 is dilated, so that it ends at stride 8.

    The arrangement of DeepLab (Chen et al., ICLR 2015), used by OICR and PCL. Layers keep the
    names of torchvision's ``features``, so ImageNet weights load by
    ``init_cfg=dict(type='Pretrained', checkpoint='torchvision://vgg16')``.

    Args:
        depth: 11, 13, 16 or 19.
        frozen_stages: Blocks that never learn; 2 as in Fast R-CNN, -1 for none.
        init_cfg: mmengine's initialisation, kept for :meth:`init_weights`.
    """

    def __init__(
        self, depth: int = 16, frozen_stages: int = 2, init_cfg: dict | None = None
    ) -> None:
        super().__init__(
            depth,
            dilations=(1, 1, 1, 1, 2),
            out_indices=(4,),
            frozen_stages=frozen_stages,
            with_last_pool=False,
        )
        self.init_cfg = init_cfg
        pools = [i for i, layer in enumerate(self.features) if isinstance(layer, nn.MaxPool2d)]
        # An identity keeps the resolution, and the numbering of the layers.
        self.features[pools[3]] = nn.Identity()

    def init_weights(self) -> None:
        """Load the weights that ``init_cfg`` names, as mmcv's own ``init_weights`` can."""
        super().init_weights((self.init_cfg or {}).get('checkpoint'))

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Map images [B, 3, H, W] to one feature map ([B, 512, H / 8, W / 8],)."""
        out = super().forward(x)
        return out if isinstance(out, tuple) else (out,)

    def train(self, mode: bool = True) -> 'DilatedVGG':
        """Switch to training mode; unlike mmcv's own, it returns the module as torch's do."""
        super().train(mode)
        return self
