"""Reading checkpoints without being silent about those that do not fit."""

import re
from pathlib import Path

from mmengine.model import is_model_wrapper
from mmengine.runner import CheckpointLoader
from torch import nn

from mmlabelpenet.utils import UserError, let_checkpoints_be_read


def read_checkpoint(path: str) -> dict:
    """Read a checkpoint onto the CPU.

    Args:
        path: A file, or an address that mmengine knows (``https://``, ``torchvision://``).

    Returns:
        The checkpoint, with the weights under ``state_dict``.

    Raises:
        UserError: If there is no such file, or it is no checkpoint.
    """
    if '://' not in path and not Path(path).is_file():
        raise UserError(f'There is no checkpoint {path}; train first, or mend the path.')
    let_checkpoints_be_read()
    try:
        checkpoint = CheckpointLoader.load_checkpoint(path, map_location='cpu')
        weights = checkpoint.get('state_dict', checkpoint)
        return {**checkpoint, 'state_dict': dict(weights)}
    # a broken file fails in as many ways as zip, pickle and torch have
    except Exception as error:
        raise UserError(
            f'{path} can not be read as a checkpoint ({type(error).__name__}): it may be cut off '
            'or of another kind; take another checkpoint or train again.'
        ) from error


def _shapes(weights: dict) -> dict[str, tuple[int, ...]]:
    # the counter of batches is no weight, and checkpoints of old torch lack it
    return {
        re.sub(r'^module\.', '', name): tuple(getattr(value, 'shape', ()))
        for name, value in weights.items()
        if not name.endswith('num_batches_tracked')
    }


def require_same_model(model: nn.Module, checkpoint: dict, path: str) -> None:
    """Make sure that a checkpoint holds the weights of a model: these, all, and in shape.

    mmengine loads what happens to fit and only warns about the rest, so a test of the wrong
    checkpoint would give figures of an untrained model.

    Args:
        model: The model, wrapped for distributed runs or not.
        checkpoint: As :func:`read_checkpoint` gives it.
        path: Where it came from, for the message.

    Raises:
        UserError: If the two differ.
    """
    inner = model.module if is_model_wrapper(model) else model
    wanted, given = _shapes(inner.state_dict()), _shapes(checkpoint['state_dict'])
    differences = {
        'missing': sorted(wanted.keys() - given.keys()),
        'unknown': sorted(given.keys() - wanted.keys()),
        'of another shape': sorted(
            name for name in wanted.keys() & given.keys() if wanted[name] != given[name]
        ),
    }
    told = [
        f'{len(names)} weights {kind} (such as {names[0]})'
        for kind, names in differences.items()
        if names
    ]
    if told:
        raise UserError(
            f'{path} is a checkpoint of another model than the {type(inner).__name__} of this '
            f'config: {", ".join(told)}; use the config that it was trained with.'
        )
