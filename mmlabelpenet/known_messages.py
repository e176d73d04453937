"""Messages of other packages that tell a user nothing; each is dropped by its exact words."""

import warnings
from typing import Any

import mmengine.logging

WARNINGS = (
    # mmdet at every start of a tool; nothing here asks for that package
    'faster_coco_eval is not installed',
    # torch, for 1 x 1 convolutions of several processes: a layout in memory, no error
    'Grad strides do not match bucket view strides',
    # torch, of the argument that mmengine gives it
    '`broadcast_buffers` is deprecated',
    # mmengine, of a default that suits several processes on one machine
    'Setting (OMP|MKL)_NUM_THREADS environment variable',
)
# the fork of mmdet prints it in every process that imports mmdet.datasets
ONEDL = 'Could not import OneDL. Skipping OneDL datasets.'


def drop_known_messages() -> None:
    """Drop the messages for the rest of the process; all others stay."""
    for message in WARNINGS:
        warnings.filterwarnings('ignore', message=message)
    original = mmengine.logging.print_log

    def print_log(msg: Any, *args: Any, **kwargs: Any) -> None:
        if msg != ONEDL:
            original(msg, *args, **kwargs)

    mmengine.logging.print_log = print_log
