"""Hooks of the runner."""

from .finite_loss import FiniteLossHook
from .principal_projections import PrincipalProjectionHook

__all__ = ['FiniteLossHook', 'PrincipalProjectionHook']
