"""What the command-line tools are made of."""

from .checkpoint import read_checkpoint, require_same_model
from .command import (
    add_common_arguments,
    add_config_options,
    load_config,
    open_config,
    run_command,
    sentence_of,
)
from .distributed import prepare_distributed
from .exporting import export_instances
from .inferencer import LabelPEnetInferencer
from .mixed_precision import BFloat16OptimWrapper, enable_amp
from .settings import classes_of, images_of, plain_datasets, read_config
from .testing import evaluate_detector, evaluate_file
from .training import train_detector

__all__ = [
    'BFloat16OptimWrapper',
    'LabelPEnetInferencer',
    'add_common_arguments',
    'add_config_options',
    'classes_of',
    'enable_amp',
    'evaluate_detector',
    'evaluate_file',
    'export_instances',
    'images_of',
    'load_config',
    'open_config',
    'plain_datasets',
    'prepare_distributed',
    'read_checkpoint',
    'read_config',
    'require_same_model',
    'run_command',
    'sentence_of',
    'train_detector',
]
