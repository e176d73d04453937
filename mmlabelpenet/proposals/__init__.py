"""Region proposals: making, storing, reading and judging them."""

from .jobs import Job, Outcome, run_job, run_jobs, summarize_outcomes
from .recall import best_overlaps, pairwise_iou, summarize_overlaps
from .selective_search import make_proposals, search_regions, suppress_duplicates
from .store import Proposals, photo_proposal_path, proposal_path, read_proposals, write_proposals

__all__ = [
    'Job',
    'Outcome',
    'Proposals',
    'best_overlaps',
    'make_proposals',
    'pairwise_iou',
    'photo_proposal_path',
    'proposal_path',
    'read_proposals',
    'run_job',
    'run_jobs',
    'search_regions',
    'summarize_outcomes',
    'summarize_overlaps',
    'suppress_duplicates',
    'write_proposals',
]
