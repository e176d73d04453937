"""Attention of classes by Excitation Backpropagation."""

from collections.abc import Sequence

import torch
from mmdet.models.backbones import ResNet
from torch import Tensor, nn

from mmlabelpenet.registry import MODELS
from mmlabelpenet.structures import Evidence, Maps

from .cam import CAMAttention
from .excitation_backprop import TINY, Excitation


def backbone_tail(backbone: nn.Module, start: int, end: int) -> nn.Sequential:
    """The part of a backbone between two of its outputs, the same modules, not copies.

    Args:
        backbone: With a list ``stages`` whose modules follow one another, as EfficientNetLite
            has, or mmdet's ResNet.
        start: Position in ``out_indices`` of the output that the part begins with.
        end: Position of the output that it ends with.
    """
    stages = (
        [backbone.get_submodule(name) for name in backbone.res_layers]
        if isinstance(backbone, ResNet)
        else backbone.stages
    )
    return nn.Sequential(*stages[backbone.out_indices[start] + 1 : backbone.out_indices[end] + 1])


@MODELS.register_module()
class ExcitationAttention(CAMAttention):
    """Attention of classes by Excitation Backpropagation (docs/paper/method.md, attention).

    The linear classifier of :class:`CAMAttention` gives each class a unit of mass over the
    levels that it reads; the mass of coarser levels is propagated back through the backbone to
    the grid of ``level`` by :class:`Excitation`.

    Args:
        num_classes: C.
        in_channels: Channels of every backbone level.
        strides: Stride of every backbone level.
        levels: Levels that the classifier reads, none finer than ``level``.
        level: Level whose grid carries the maps.
        contrastive: Whether to subtract the mass of the opposite class: the same propagation
            from the classifier with its weights negated.
        standardise: As of :class:`CAMAttention`.
        init_cfg: mmengine's initialisation.

    Raises:
        ValueError: If the classifier reads a finer level than that of the maps.
    """

    def __init__(
        self,
        num_classes: int,
        in_channels: Sequence[int],
        strides: Sequence[int],
        levels: Sequence[int] = (-1,),
        level: int = 0,
        contrastive: bool = True,
        standardise: bool = False,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(num_classes, in_channels, strides, levels, standardise, init_cfg)
        self.level = level % len(in_channels)
        if min(self.levels) < self.level:
            raise ValueError(
                f'the classifier reads levels {self.levels}, finer than level {self.level}'
            )
        self.stride = strides[level]
        self.contrastive = contrastive
        self.tails: dict[int, nn.Sequential] = {}

    def use_backbone(self, backbone: nn.Module) -> None:
        """Keep references to the parts of the backbone from ``level`` to each coarser level.

        Args:
            backbone: Whose maps :meth:`forward` is given; its modules stay its own.
        """
        self.tails = {
            level: backbone_tail(backbone, self.level, level)
            for level in self.levels
            if level != self.level
        }

    @torch.no_grad()
    def forward(self, evidence: Evidence) -> Maps:
        """Attention maps [C, h, w] of one image, as :class:`CAMAttention` gives them.

        Classes that are known to be untagged get empty maps, which saves their backward pass.
        """
        wanted = evidence.get('tags', torch.ones_like(self.bias)).nonzero()[:, 0]
        start = evidence.cells(self.level, self.stride)
        found = start.new_zeros(len(self.bias), *start.shape[2:])
        if len(wanted) > 0:
            found[wanted] = self._walk(start, wanted)
        return Maps(found, self.stride).normalise()

    def _walk(self, start: Tensor, wanted: Tensor) -> Tensor:
        """Maps [K, h, w] of the wanted classes on the grid of the level's map [1, c, h, w]."""
        # Nothing lies between the grid's own level and the classifier.
        parts = [self.tails.get(level, nn.Sequential()) for level in self.levels]
        tails = [Excitation(part, start) for part in parts]
        mass = self._top(tails, wanted, 1.0)
        if self.contrastive:
            opposite = self._top(tails, wanted, -1.0)
            mass = [part - other for part, other in zip(mass, opposite)]
        landed = [tail.back(part) for tail, part in zip(tails, mass)]
        return torch.stack(landed).sum((0, 2)).relu()

    def _top(self, tails: list[Excitation], wanted: Tensor, sign: float) -> list[Tensor]:
        """A unit of mass for each class over the cells that the classifier reads: [K, c, h, w]."""
        weights = [(sign * weight[wanted].float()).clamp(min=0) + TINY for weight in self.weights]
        # The classifier reads means, so a cell of a smaller map counts more.
        parts = [
            (tail.output.clamp(min=0) + TINY) * weight / tail.output[0, 0].numel()
            for tail, weight in zip(tails, weights)
        ]
        total = sum(part.sum((1, 2, 3), keepdim=True) for part in parts)
        return [part / total for part in parts]
