"""Backbones that mmdet lacks; its ResNet is used as it is."""

from .dilated_vgg import DilatedVGG
from .efficientnet_lite import EfficientNetLite
