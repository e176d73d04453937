"""Hooks of the runner."""

from .feature_statistics import FeatureStatisticsHook
from .finite_loss import FiniteLossHook
from .label_curve import LabelCurveHook
from .pseudo_labels import PseudoLabelHook
from .screen import ScreenHook
