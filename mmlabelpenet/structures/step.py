"""What one training step asks of the model."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True)
class Step:
    """One training step: who learns, from which labels, and how much.

    Attributes:
        learning: Names of the stages that learn; all others are frozen.
        backbone: Whether the backbone learns too, except for its own frozen blocks.
        scales: Whether images are also read at the model's ``attention_scales``.
        direction: ``'forward'``: labels travel down the cascade; ``'backward'``: the last stage's
            instances are validated on their way up and supervise the stages before it.
        weights: lambda_k, the factor of a stage's losses, by its name; 1 where it is absent.
        threshold: Pseudo instances of a lower weight supervise nothing.
    """

    learning: tuple[str, ...] = ()
    backbone: bool = True
    scales: bool = True
    direction: Literal['forward', 'backward'] = 'forward'
    weights: Mapping[str, float] = field(default_factory=dict)
    threshold: float = 0.0
