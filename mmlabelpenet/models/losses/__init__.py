"""Losses of the cascade that mmdet lacks."""

from .tag_losses import SoftmaxTagLoss, WSDDNLoss
