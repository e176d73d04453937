"""The detector and its cascade."""

from .cascade import LABELS, Cascade
from .label_path import labels_on_their_way
from .label_penet import STAGES, LabelPEnet
from .proposal_tta import ProposalTTA
from .relabelling import relabelled
from .results import paint_semantic_map
