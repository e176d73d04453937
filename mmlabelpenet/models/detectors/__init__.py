"""The detector."""

from .label_penet import LabelPEnet
from .painting import paint_semantic_map

__all__ = ['LabelPEnet', 'paint_semantic_map']
