"""Region proposals: making, storing, reading and judging them."""

from .jobs import Job, Outcome, run_job, run_jobs, summarize_outcomes
from .recall import best_overlaps, pairwise_iou, summarize_overlaps
from .selective_search import make_proposals, selective_search, suppress_duplicates
from .store import Proposals, proposal_path, read_proposals, write_proposals

__all__ = [
    'Job',
    'Outcome',
    'Proposals',
    'best_overlaps',
    'make_proposals',
    'pairwise_iou',
    'proposal_path',
    'read_proposals',
    'run_job',
    'run_jobs',
    'selective_search',
    'summarize_outcomes',
    'summarize_overlaps',
    'suppress_duplicates',
    'write_proposals',
]
