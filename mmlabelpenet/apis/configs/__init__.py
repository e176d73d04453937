"""Configs: reading them with overrides, and checking them before anything is built."""

from .files import read_file
from .overrides import ConfigOptions
from .parts import all_registries, registered_names
from .reading import (
    classes_of,
    common_classes,
    images_of,
    plain_datasets,
    read_config,
    require_config,
    require_model,
    require_num_classes,
)
from .text import config_of_checkpoint
from .validation import check_config
