"""Functions behind the command-line tools, and the inferencer."""

from .checkpoint import load_weights, read_checkpoint, require_same_model
from .command import (
    add_config_options,
    add_evaluation_arguments,
    add_trust_option,
    add_verbose_option,
    config_parser,
    load_config,
    run_command,
    sentence_of,
)
from .configs import classes_of, images_of, plain_datasets, read_config
from .doubting import Doubt, doubted_tags
from .exporting import Layout, add_export_arguments, export_ground_truth, export_instances
from .inferencer import PALETTES, LabelPEnetInferencer
from .pipeline import PROPOSALS, PROPOSALS_HELP, choose_proposals
from .published import published_weights
from .testing import enable_painting, evaluate_detector, evaluate_file
from .training import train_detector
