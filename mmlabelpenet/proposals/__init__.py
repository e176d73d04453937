"""Region proposals: making, storing, reading and judging them."""

from .recall import best_overlaps, pairwise_iou, summarize_overlaps
from .selective_search import make_proposals, selective_search, suppress_duplicates
from .store import Proposals, proposal_path, read_proposals, write_proposals

__all__ = [
    'Proposals',
    'best_overlaps',
    'make_proposals',
    'pairwise_iou',
    'proposal_path',
    'read_proposals',
    'selective_search',
    'summarize_overlaps',
    'suppress_duplicates',
    'write_proposals',
]
