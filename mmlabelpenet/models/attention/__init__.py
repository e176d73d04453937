"""Attention: which parts of an image are evidence of a class."""

from .cam import CAMAttention
from .excitation_attention import ExcitationAttention
from .excitation_backprop import Excitation
from .region_excitation import RegionExcitation
from .semantic import SemanticAttention
