"""Training loops and hooks."""

from .hooks import FiniteLossHook, PrincipalProjectionHook
from .loops import CurriculumTrainLoop, Phase

__all__ = ['CurriculumTrainLoop', 'FiniteLossHook', 'Phase', 'PrincipalProjectionHook']
