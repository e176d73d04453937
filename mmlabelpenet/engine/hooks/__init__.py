"""Hooks of the runner."""

from .finite_loss import FiniteLossHook
from .principal_projections import PrincipalProjectionHook
from .pseudo_labels import PseudoLabelHook

__all__ = ['FiniteLossHook', 'PrincipalProjectionHook', 'PseudoLabelHook']
