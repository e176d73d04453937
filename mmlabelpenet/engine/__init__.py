"""Training loops and hooks."""

from .hooks import FeatureStatisticsHook, FiniteLossHook, PseudoLabelHook
from .loops import CurriculumTrainLoop, Phase

__all__ = [
    'CurriculumTrainLoop',
    'FeatureStatisticsHook',
    'FiniteLossHook',
    'Phase',
    'PseudoLabelHook',
]
