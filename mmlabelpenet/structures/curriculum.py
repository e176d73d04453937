"""What the curriculum asks of the model in one training step."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True)
class Curriculum:
    """Curriculum of one step (METHOD 6).

    Attributes:
        direction: ``'forward'``: labels travel down the cascade; ``'backward'``: what the last
            stage finds is validated on its way up and teaches the stages before it.
        weights: lambda_k by the name of a stage, factor of its losses; 1 where it is absent.
        threshold: Pseudo instances of a lower weight teach nothing.
    """

    direction: Literal['forward', 'backward'] = 'forward'
    weights: Mapping[str, float] = field(default_factory=dict)
    threshold: float = 0.0
