"""Mining pseudo instances, assigning regions to them, selecting detections."""

from .assigning import IGNORED, assign_pseudo_labels, draw_boxes, sample_rois
from .clustering import mine_proposal_clusters, top_group
from .mining import MINERS, mine, mine_pseudo_instances, mine_top_proposals, select_detections
