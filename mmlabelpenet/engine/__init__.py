"""Training loops."""

from .loops import CurriculumTrainLoop, Phase

__all__ = ['CurriculumTrainLoop', 'Phase']
