"""Loops of the runner."""

from .curriculum_train_loop import CurriculumTrainLoop
from .phases import Phase, build_phases
