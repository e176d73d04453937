"""Calibration by attention: energy of boxes, seeds of pseudo instances, inverse validation."""

from .energy import contrast_energy, energy_share, scale_boxes
from .instance_attention import connected_to_peak, instance_attention
from .seeds import AttentionSeeds, ProposalSeeds, mined_instances
from .validation import key_share, merge_validated
