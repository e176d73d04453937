"""Mining pseudo instances, assigning regions to them, selecting detections."""

from .assigning import IGNORED, assign_pseudo_labels, sample_rois
from .mining import mine_pseudo_instances, select_detections

__all__ = [
    'IGNORED',
    'assign_pseudo_labels',
    'mine_pseudo_instances',
    'sample_rois',
    'select_detections',
]
