"""Training loops, hooks, caches and freezing."""

from .cache import FeatureCache, LabelCache
from .freezing import copy_parts, freeze
from .hooks import FeatureStatisticsHook, FiniteLossHook, LabelCurveHook, PseudoLabelHook
from .loops import CurriculumTrainLoop, Phase
