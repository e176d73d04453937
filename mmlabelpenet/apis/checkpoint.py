"""Reading checkpoints, and loading their weights into the model that they were trained with."""

from typing import Any

import torch
from mmengine.runner import CheckpointLoader
from torch import nn

from mmlabelpenet.utils import UserError, restrict_checkpoint_loading, unwrap_model


def read_checkpoint(path: str) -> dict:
    """Read a checkpoint onto the CPU.

    Args:
        path: A file, or an address that mmengine knows (``https://``, ``torchvision://``).

    Returns:
        The checkpoint: the weights under ``state_dict``, without the prefixes of wrapped and
        compiled models, and maybe ``meta``.

    Raises:
        UserError: If there is no such file, it is no checkpoint, or it holds more than weights and
            plain data and is not read in a block of
            :func:`~mmlabelpenet.utils.trust_files`.
    """
    restrict_checkpoint_loading()
    checkpoint = CheckpointLoader.load_checkpoint(path, map_location='cpu', logger='silent')
    weights = checkpoint.get('state_dict', checkpoint)
    if not isinstance(weights, dict):
        raise UserError(f'{path} holds no weights by their names: take another checkpoint.')
    for name, value in weights.items():
        kind = _kind_of(value)
        if kind:
            raise UserError(
                f'{path} holds {name}, which is no weight but a {kind}: take a checkpoint with '
                'weights, by their names or under state_dict.'
            )
    meta = checkpoint.get('meta') or {}
    if not isinstance(meta, dict):
        raise UserError(f'{path} has a meta that is no dict: take another checkpoint.')
    return {**checkpoint, 'state_dict': weights, 'meta': meta}


def _kind_of(value: Any) -> str:
    """Name what is no tensor of plain numbers; empty for one that is."""
    if not isinstance(value, torch.Tensor):
        return type(value).__name__
    kinds = {
        'tensor without values': value.is_meta,
        'quantised tensor': value.is_quantized,
        'nested tensor': value.is_nested,
        'sparse tensor': value.layout != torch.strided,
        'tensor of complex numbers': value.is_complex(),
    }
    return next((kind for kind, found in kinds.items() if found), '')


def require_same_model(model: nn.Module, checkpoint: dict, path: str) -> None:
    """Make sure that a checkpoint holds exactly the weights of a model, with the same shapes.

    mmengine loads the weights that fit and only warns about the rest, so that a test of the wrong
    checkpoint would give the figures of an untrained model.

    Args:
        model: The model, wrapped or not.
        checkpoint: See :func:`read_checkpoint`.
        path: Of the checkpoint, for the message.

    Raises:
        UserError: If the two differ, or a weight is not finite.
    """
    model = unwrap_model(model)
    expected, given = _shapes(model.state_dict()), _shapes(checkpoint['state_dict'])
    common = expected.keys() & given.keys()
    differences = {
        'missing': expected.keys() - given.keys(),
        'unknown': given.keys() - expected.keys(),
        'of another shape': {name for name in common if expected[name][1:] != given[name][1:]},
        'of another type of numbers': {
            name for name in common if expected[name][0] != given[name][0]
        },
    }
    listed = [
        f'{len(names)} weights {kind} (such as {min(names)})'
        for kind, names in differences.items()
        if names
    ]
    if listed:
        raise UserError(
            f'{path} is a checkpoint of another model than the {type(model).__name__} of this '
            f'config: {", ".join(listed)}; use the config that it was trained with.'
        )
    _require_finite(checkpoint, path)


def require_common_weights(model: nn.Module, checkpoint: dict, path: str) -> None:
    """Make sure that a checkpoint holds some weights of a model, from which its training starts.

    Args:
        model: The model, wrapped or not.
        checkpoint: See :func:`read_checkpoint`.
        path: Of the checkpoint, for the message.

    Raises:
        UserError: If no weight fits by name and shape, or a weight is not finite.
    """
    model = unwrap_model(model)
    if not _shapes(model.state_dict()).items() & _shapes(checkpoint['state_dict']).items():
        raise UserError(
            f'{path} has no weight with the name and shape of one of the {type(model).__name__} '
            'of this config: name another checkpoint as load_from (weights of a backbone alone '
            'belong into its init_cfg).'
        )
    _require_finite(checkpoint, path)


def _require_finite(checkpoint: dict, path: str) -> None:
    broken = [name for name, value in checkpoint['state_dict'].items() if not _is_finite(value)]
    if broken:
        raise UserError(
            f'{path} has {len(broken)} weights with values that are not finite (such as '
            f'{broken[0]}): its training diverged; take an earlier checkpoint.'
        )


def _is_finite(value: torch.Tensor) -> bool:
    return not value.is_floating_point() or bool(value.float().isfinite().all())


def _shapes(weights: dict) -> dict[str, tuple[int, ...]]:
    """Whether each weight is of floating-point numbers, and its shape."""
    # the counter of batches is no weight, and checkpoints of old torch lack it
    return {
        name: (value.is_floating_point(), *value.shape)
        for name, value in weights.items()
        if not name.endswith('num_batches_tracked')
    }


def load_weights(model: nn.Module, path: str, checkpoint: dict | None = None) -> dict:
    """Load the weights of a checkpoint, which must be of this very model.

    Args:
        model: The model, wrapped or not; changed in place.
        path: Of the checkpoint.
        checkpoint: Its content, see :func:`read_checkpoint`; read from the path if None.

    Returns:
        The meta information of the checkpoint.

    Raises:
        UserError: See :func:`read_checkpoint` and :func:`require_same_model`.
    """
    checkpoint = read_checkpoint(path) if checkpoint is None else checkpoint
    require_same_model(model, checkpoint, path)
    # not strict: checkpoints of old torch lack the counters of batches
    unwrap_model(model).load_state_dict(checkpoint['state_dict'], strict=False)
    return checkpoint['meta']
