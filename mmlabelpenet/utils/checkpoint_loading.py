"""Loading checkpoints as weights and plain data, by MMEngine too.

Heavy modules are imported inside the functions, see :mod:`.setup_env`.
"""

import functools
import os
import pickle
import pickletools
import re
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .errors import UserError, explain_read_errors, other_file
from .safe_pickle import PLAIN, plain
from .trust import files_are_trusted, refusal

REMEDY = 'copy or download it again, or take another one'
_OF_ADDRESS = (
    'download the file, and name its path; of addresses only https:// is read, and the names that '
    'mmengine lists for open-mmlab:// and, with torchvision, torchvision://'
)
# Of torch's DistributedDataParallel, and of its compiled modules wherever they are.
_WRAPPERS = re.compile(r'^(?:_orig_mod\.|module\.)+|(?<![^.])_orig_mod\.')
_FORCE_SAFE, _FORCE_UNSAFE = 'TORCH_FORCE_WEIGHTS_ONLY_LOAD', 'TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD'


@functools.cache
def restrict_checkpoint_loading() -> None:
    """Make MMEngine load checkpoints of any address as weights and plain data only.

    This holds for training, resuming, ``load_from`` and ``init_cfg``, since all of them load by
    ``CheckpointLoader``. In a block of :func:`trust_files`, checkpoints are loaded whole.
    MMEngine up to 0.10.7 leaves the choice to torch, and the forks of MMEngine load whatever is
    no plain data by executing it.
    """
    import torch
    from mmengine.runner import CheckpointLoader, checkpoint

    load = CheckpointLoader.load_checkpoint

    def load_checkpoint(
        cls: type, filename: str, map_location: Any = None, logger: Any = 'current'
    ) -> dict:
        return _load(lambda: load(str(filename), map_location, logger), str(filename))

    def torch_load(file: Any, map_location: Any = None, weights_only: Any = None) -> Any:
        return torch.load(file, map_location=map_location)

    CheckpointLoader.load_checkpoint = classmethod(load_checkpoint)
    # the forks' function allows getattr, and falls back to executing
    checkpoint._safe_torch_load = torch_load


def _load(load: Callable[[], Any], path: str) -> dict:
    """Load a checkpoint, and explain errors."""
    _require_file(path)
    trusted = files_are_trusted()
    with explain_read_errors(path, 'a checkpoint', _OF_ADDRESS if '://' in path else REMEDY):
        try:
            with _environment(trusted), _allow_plain_data():
                checkpoint = load()
        except (pickle.UnpicklingError, RuntimeError) as error:
            raise _explained(path, error) from error
        if not isinstance(checkpoint, dict):
            kind = type(checkpoint).__name__
            raise UserError(f'{path} holds a {kind} instead of weights by their names: {REMEDY}.')
        return _unwrapped(checkpoint if trusted else _without_config(plain(checkpoint)), path)


def _unwrapped(checkpoint: dict, path: str) -> dict:
    """Take the prefixes of wrapped and compiled models out of the names of weights."""
    weights = checkpoint.get('state_dict', checkpoint)
    if isinstance(weights, dict):
        names = {name: _WRAPPERS.sub('', str(name)) for name in weights}
        if len(set(names.values())) < len(names):
            raise UserError(f'{path} holds weights both of a model and of its wrapper: {REMEDY}.')
        # in place, since mmengine reads the metadata of an OrderedDict's state
        for name, plain_name in names.items():
            weights[plain_name] = weights.pop(name)
    return checkpoint


def _require_file(path: str) -> None:
    if '://' in path:
        return
    file = Path(path).expanduser()
    if file.is_dir():
        raise UserError(f'{path} is a folder, no checkpoint; name a .pth file in it.')
    if not file.is_file():
        raise UserError(f'There is no checkpoint {path}; train first, or fix the path.')
    problem = _problem(file)
    if problem:
        raise UserError(f'{path} cannot be read as a checkpoint ({problem}): {REMEDY}.')


def _problem(file: Path) -> str:
    """Say what is wrong with a file, of which torch does not check the values."""
    try:
        with open(file, 'rb') as content:
            head = content.read(2)
        if not head:
            return 'it is empty'
        if head != b'PK':
            # old torch wrote pickles
            return '' if head[:1] == b'\x80' else _foreign_format(file)
        with zipfile.ZipFile(file) as archive:
            if not any(name.endswith('/data.pkl') for name in archive.namelist()):
                return 'it is a zip file of something else'
            damaged = archive.testzip()
        return f'its part {damaged} is damaged' if damaged else ''
    except zipfile.BadZipFile:
        return 'it is cut or damaged'
    except OSError as error:
        return str(error)


def _foreign_format(file: Path) -> str:
    if file.suffix == '.safetensors':
        return (
            'it is in the format of safetensors: convert it by '
            "torch.save(safetensors.torch.load_file(FILE), 'FILE.pth')"
        )
    found = other_file(file)
    return f'it is {found}' if found else 'torch.save does not write such files'


@contextmanager
def _environment(trusted: bool) -> Iterator[None]:
    """Let no call of ``torch.load`` within the block choose by itself what it executes."""
    before = {name: os.environ.pop(name, None) for name in (_FORCE_SAFE, _FORCE_UNSAFE)}
    os.environ[_FORCE_UNSAFE if trusted else _FORCE_SAFE] = '1'
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value


@contextmanager
def _allow_plain_data() -> Iterator[None]:
    """Allow the plain data that checkpoints of this package and of mmdet hold."""
    import torch
    from mmengine.config import ConfigDict
    from mmengine.logging import HistoryBuffer

    def statistic(owner: type, name: str) -> Any:
        if owner is not HistoryBuffer or name not in ('min', 'max', 'current', 'mean'):
            raise pickle.UnpicklingError(f'Unsupported global: GLOBAL getattr of {owner} {name}')
        return vars(HistoryBuffer)[name]

    allowed = {**PLAIN, 'mmengine.logging.history_buffer.HistoryBuffer': HistoryBuffer}
    allowed |= {'mmengine.config.config.ConfigDict': ConfigDict, 'builtins.getattr': statistic}
    with torch.serialization.safe_globals([(one, name) for name, one in allowed.items()]):
        yield


def _is_cut(file: Path) -> bool:
    """Whether a file of old torch ends within one of the pickles at its beginning."""
    if not file.is_file():
        return False
    with open(file, 'rb') as content:
        try:
            for _ in range(5 if content.peek(1)[:1] == b'\x80' else 0):
                if content.peek(1):
                    list(pickletools.genops(content))
        except ValueError:
            return True
    return False


def _explained(path: str, error: Exception) -> Exception:
    """Tell content that would be executed from damage."""
    text = str(error)
    if _is_cut(Path(path).expanduser()):
        return EOFError('it ends too early, as a file that was not copied whole')
    unsafe = re.search(r'GLOBAL (\S+)', text) or re.search(r'function (<.*?>)', text)
    if unsafe:
        return refusal(path, unsafe[1])
    if 'Unsupported operand' in text:
        return refusal(path, 'a pickle of another protocol than torch.save writes')
    # torch's text is advice to programmers, with the reason at its beginning or its end
    reason = text.partition('WeightsUnpickler error: ')[2] or text
    return type(error)(reason.strip().partition('. ')[0].partition('\n')[0])


def _without_config(checkpoint: dict) -> dict:
    """Drop the config text of MMCV's checkpoints, which MMEngine executes when it resumes."""
    meta = checkpoint.get('meta')
    if isinstance(meta, dict):
        meta.pop('config', None)
    return checkpoint
