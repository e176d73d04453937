"""What Excitation Backpropagation of many (region, class) pairs costs.

Ratios on this machine: all pairs together against one by one, and against a forward pass of the
backbone. Weights are random: times do not depend on them.

Example:
    python benchmark/attention.py --pairs 64 --size 448
"""

import argparse
import json
import resource
import statistics
import time
from collections.abc import Callable, Sequence

import torch
from mmlabelpenet.models.calibration.excitation_attention import backbone_tail
from torch import nn

from mmlabelpenet.models import EfficientNetLite, RoIFeatures
from mmlabelpenet.models.calibration import Excitation, RegionExcitation
from mmlabelpenet.utils import register_all_modules

CHANNELS, STRIDES = (40, 112, 1280), (8, 16, 32)


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description='Time attention of many (region, class) pairs')
    parser.add_argument('--pairs', type=int, default=64)
    parser.add_argument('--size', type=int, default=448, help='side of the photo in pixels')
    parser.add_argument('--rounds', type=int, default=5, help='of which the median is told')
    parser.add_argument('--device', default='cuda' if torch.cuda.is_available() else 'cpu')
    return parser.parse_args(argv)


def median_seconds(action: Callable[[], object], rounds: int, device: str) -> float:
    """Median wall time of an action, after one run that does not count."""
    times = []
    for _ in range(rounds + 1):
        _synchronise(device)
        start = time.perf_counter()
        action()
        _synchronise(device)
        times.append(time.perf_counter() - start)
    return statistics.median(times[1:])


def _synchronise(device: str) -> None:
    if device.startswith('cuda'):
        torch.cuda.synchronize()


def peak_megabytes(device: str) -> float:
    """Peak memory so far: of the device with CUDA, else of the process."""
    if device.startswith('cuda'):
        return torch.cuda.max_memory_allocated() / 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


class Setting:
    """A backbone, a region head and an image's regions.

    Args:
        pairs: Number of (region, class) pairs.
        size: Side of the image.
        device: Where to.
    """

    def __init__(self, pairs: int, size: int, device: str) -> None:
        torch.manual_seed(0)
        backbone = EfficientNetLite(variant='lite0', out_indices=(2, 4, 7)).eval().to(device)
        settle(backbone, device)
        fusion = dict(in_channels=CHANNELS, strides=STRIDES, levels=(1, 2), out_channels=128)
        self.backbone = backbone
        self.head = RoIFeatures(fusion, roi_size=5, fc_channels=1024).eval().to(device)
        self.image = torch.randn(1, 3, size, size, device=device)
        near = torch.rand(pairs, 2, device=device) * size / 2
        self.bboxes = torch.cat([near, near + size / 8 + torch.rand_like(near) * size / 3], dim=1)
        self.weights = torch.randn(pairs, 1024, device=device)
        self.tail = backbone_tail(backbone, 1, 2)
        with torch.no_grad():
            self.feats = backbone(self.image)

    def forward(self) -> None:
        """One forward pass of the backbone."""
        with torch.no_grad():
            self.backbone(self.image)

    def to_fused(self, chosen: slice = slice(None)) -> None:
        """Key pixels of pairs on the fused map of stride 16."""
        self._walk(chosen, to_levels=False)

    def to_backbone(self, chosen: slice = slice(None)) -> None:
        """Key pixels of pairs on the backbone's last map of stride 16, through its tail."""
        walk = self._walk(chosen, to_levels=True)
        Excitation(self.tail, self.feats[1]).back(walk[1]).add_(walk[0])

    def _walk(self, chosen: slice, to_levels: bool) -> list[torch.Tensor] | torch.Tensor:
        bboxes, weights = self.bboxes[chosen], self.weights[chosen]
        regions = torch.arange(len(bboxes), device=bboxes.device)
        walk = RegionExcitation(self.head, self.feats, bboxes)
        return walk.key_pixels(weights, regions, contrastive=True, to_levels=to_levels)


@torch.no_grad()
def settle(backbone: nn.Module, device: str) -> None:
    """Give batch norm the statistics of noise, or features of random weights fade to nothing."""
    norms = [module for module in backbone.modules() if isinstance(module, nn.BatchNorm2d)]
    for norm in norms:
        norm.train()
        norm.momentum = 1.0
    backbone(torch.randn(2, 3, 96, 96, device=device))
    backbone.eval()


def main(argv: Sequence[str] | None = None) -> None:
    """Measure and print one JSON object."""
    args = parse_args(argv)
    register_all_modules()
    setting = Setting(args.pairs, args.size, args.device)

    def timed(action: Callable[[], object]) -> float:
        return median_seconds(action, args.rounds, args.device)

    def one_by_one(walk: Callable[[slice], None]) -> None:
        for index in range(args.pairs):
            walk(slice(index, index + 1))

    forward = timed(setting.forward)
    figures = {'pairs': args.pairs, 'size': args.size, 'device': args.device}
    figures |= {'threads': torch.get_num_threads(), 'forward_s': round(forward, 4)}
    for name, walk in (('fused', setting.to_fused), ('backbone', setting.to_backbone)):
        together = timed(walk)
        single = median_seconds(lambda walk=walk: one_by_one(walk), 1, args.device)
        figures[f'{name}_s'] = round(together, 4)
        figures[f'{name}_per_forward'] = round(together / forward, 2)
        figures[f'{name}_speedup_over_single'] = round(single / together, 1)
        figures[f'{name}_peak_mb'] = round(peak_megabytes(args.device))
    print(json.dumps(figures, indent=2))


if __name__ == '__main__':
    main()
