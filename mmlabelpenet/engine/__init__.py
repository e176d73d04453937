"""Training loops and hooks."""

from .hooks import FiniteLossHook, PrincipalProjectionHook, PseudoLabelHook
from .loops import CurriculumTrainLoop, Phase

__all__ = [
    'CurriculumTrainLoop',
    'FiniteLossHook',
    'Phase',
    'PrincipalProjectionHook',
    'PseudoLabelHook',
]
