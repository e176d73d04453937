"""Region proposals: making, storing, importing and checking them."""

from .checking import CheckedImage, check_image, collect_problems, summarize_check
from .foreign import FORMATS, from_matlab, read_foreign, sort_by_score
from .importing import exceeds, match_images, require_fit, to_proposals
from .jobs import Job, Outcome, run_job, run_jobs, summarize_outcomes
from .recall import best_overlaps, ground_truth_boxes, summarize_overlaps
from .selective_search import make_proposals, search_regions, suppress_duplicates
from .store import (
    Proposals,
    image_proposal_path,
    proposal_path,
    read_proposals,
    require_boxes,
    write_proposals,
)
