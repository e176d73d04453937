"""Attention, its sharpening, and the calibration of proposals by it."""

from .attention import CAMAttention
from .dense_crf import DenseCRF
from .energy import box_sums, contrast_energy, energy_share, scale_boxes
from .excitation import Excitation
from .excitation_attention import ExcitationAttention
from .instance_attention import connected_to_peak, instance_attention
from .pixel_affinity import PixelAffinity, colour_affinity, neighbours
from .proposal_calibration import ProposalCalibration
from .random_walk import RandomWalk, feature_affinity
from .region_excitation import RegionExcitation
from .semantic_attention import SemanticAttention
from .true_instances import TrueInstances
from .validation import key_share, merge_validated

__all__ = [
    'CAMAttention',
    'DenseCRF',
    'Excitation',
    'ExcitationAttention',
    'PixelAffinity',
    'ProposalCalibration',
    'RandomWalk',
    'RegionExcitation',
    'SemanticAttention',
    'TrueInstances',
    'box_sums',
    'colour_affinity',
    'connected_to_peak',
    'contrast_energy',
    'energy_share',
    'feature_affinity',
    'instance_attention',
    'key_share',
    'merge_validated',
    'neighbours',
    'scale_boxes',
]
