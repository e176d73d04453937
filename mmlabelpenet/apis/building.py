"""Building what a config describes, with errors as sentences."""

import re
from collections.abc import Container, Iterator, Sequence
from contextlib import contextmanager
from traceback import walk_tb

import torch
from mmengine.config import Config
from torch import nn

from mmlabelpenet.utils import UserError, advise_name, in_evaluation
from mmlabelpenet.utils.errors import LONGEST

from .configs import all_registries, registered_names

_MISSING = re.compile(r"'?\"?(\S+) is not in the (?:\S+) registry")
_PREFIX = re.compile(r'^class `[\w.]+` in [\w./]+?:\s*')
# What constructors of mmengine, mmdet and this package raise about their arguments.
ERRORS: tuple[type[Exception], ...] = (AssertionError, AttributeError, ImportError, IndexError)
ERRORS += (KeyError, TypeError, ValueError, ZeroDivisionError)


@contextmanager
def explain_build_errors(path: object) -> Iterator[None]:
    """Explain errors of building the parts of a config in one sentence.

    Args:
        path: Of the config.

    Raises:
        UserError: If a part cannot be built.
    """
    try:
        yield
    except ERRORS as error:
        raise UserError(f'{path}: {build_sentence(error)}') from error


def build_sentence(error: Exception) -> str:
    """Write what is wrong with a config, from an error in building it."""
    text = ' '.join(str(error.args[0] if error.args else error).split())
    found = _MISSING.search(text)
    if found:
        known = registered_names(*all_registries())
        return f"nothing is registered as '{found[1]}': {advise_name(found[1], known)}"
    while _PREFIX.match(text):
        text = _PREFIX.sub('', text)
    kind = '' if ' ' in text else f' ({type(error).__name__})'
    text = text if len(text) < LONGEST else f'{text[:LONGEST]} ...'
    return f'{_built(error)} cannot be built{kind}: {text.rstrip(".")}; fix its settings.'


def _built(error: Exception) -> str:
    """Name the innermost class whose construction has failed."""
    names = [
        type(frame.f_locals['self']).__name__
        for frame, _ in walk_tb(error.__traceback__)
        if frame.f_code.co_name == '__init__' and 'self' in frame.f_locals
    ]
    return names[-1] if names else 'a part of it'


def require_levels(cfg: Config, model: nn.Module) -> None:
    """Make sure that the parts of a cascade expect the maps that its backbone gives.

    Args:
        cfg: The whole config.
        model: The cascade, not wrapped.

    Raises:
        UserError: If channels or strides differ.
    """
    side = 64
    device = next(model.parameters()).device
    with torch.no_grad(), in_evaluation(model.backbone):
        maps = model.backbone(torch.zeros(1, 3, side, side, device=device))
    given = {
        'in_channels': [one.shape[1] for one in maps],
        'strides': [side // one.shape[2] for one in maps],
    }
    for part in ('cascade', 'calibration'):
        for path, key, value in _lists(cfg.model[part], f'model.{part}', given):
            if list(value) != given[key]:
                raise UserError(
                    f'{cfg.filename}: {path} is {list(value)}, but the maps of this backbone '
                    f'have {given[key]}: set it to these.'
                )


def _lists(node: object, path: str, keys: Container[str]) -> Iterator[tuple[str, str, Sequence]]:
    if isinstance(node, dict):
        for key, value in node.items():
            if key in keys and isinstance(value, list | tuple):
                yield f'{path}.{key}', key, value
            yield from _lists(value, f'{path}.{key}', keys)


def require_device(device: str) -> None:
    """Make sure that a device such as ``'cuda:0'`` is here.

    Raises:
        UserError: If it is not.
    """
    try:
        # whose values cannot be read on the device 'meta'
        torch.zeros(1, device=device).item()
    except (AssertionError, NotImplementedError, RuntimeError) as error:
        known = ', '.join(['cpu', *(f'cuda:{one}' for one in range(torch.cuda.device_count()))])
        raise UserError(f"There is no device '{device}' here: choose one of {known}.") from error
