"""Loops of the runner."""

from .curriculum_train_loop import CurriculumTrainLoop, Phase

__all__ = ['CurriculumTrainLoop', 'Phase']
