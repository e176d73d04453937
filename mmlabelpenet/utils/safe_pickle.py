"""Pickles of arrays: written without anything else, and read without executing code.

NumPy's own unpickling believes the state of a data type, so that a file can pass off bytes as
pointers. Stand-ins check the state first; they are replaced by plain arrays after reading.
"""

import math
import pickle
import re
from collections import OrderedDict, defaultdict
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from .errors import explain_read_errors
from .trust import files_are_trusted, refusal


class UnsafePickleError(pickle.UnpicklingError):
    """A pickle that needs more than arrays and plain data."""


class _Dtype:
    """Stands in for ``np.dtype``, whose state it checks: numbers, text or objects."""

    def __init__(self, spec: str, *_: Any) -> None:
        self.dtype = np.dtype(str(spec))
        if self.dtype.kind not in 'biufcSUO':
            raise pickle.UnpicklingError(f'arrays of {spec} are not supported')

    def __setstate__(self, state: tuple) -> None:
        """Take the order of bytes from the state, and nothing else."""
        _, order, *parts = state[:5]
        if any(part is not None for part in parts):
            raise pickle.UnpicklingError('structured arrays are not supported')
        if order in ('<', '>'):
            self.dtype = self.dtype.newbyteorder(order)


class _Array(np.ndarray):
    """Stands in for ``np.ndarray``, whose state it checks."""

    def __new__(cls) -> '_Array':
        """Make an empty array, which gets its content by its state."""
        return super().__new__(cls, (0,), np.int8)

    def __setstate__(self, state: tuple) -> None:
        """Take shape and values."""
        shape, dtype, fortran, values = state[-4:]
        listed = dtype.dtype.kind == 'O'
        if min(shape, default=0) < 0 or (listed and len(list(values)) != math.prod(shape)):
            raise pickle.UnpicklingError('an array has not as many values as its shape says')
        super().__setstate__((1, shape, dtype.dtype, fortran, values))


def _reconstruct(*_: Any) -> _Array:
    return _Array()


def _scalar(dtype: _Dtype, value: bytes | str) -> np.generic:
    raw = value.encode('latin1') if isinstance(value, str) else value
    return np.frombuffer(raw, dtype.dtype, count=1)[0]


def _from_buffer(buffer: bytes, dtype: _Dtype, shape: tuple, order: str) -> np.ndarray:
    return np.frombuffer(buffer, dtype.dtype).reshape(shape, order=order)  # type: ignore[call-overload]


# What arrays and plain data need, by the name in the pickle; none of these executes commands.
PLAIN: dict[str, Any] = {
    **{f'builtins.{one.__name__}': one for one in (set, frozenset, slice, bytes, bytearray)},
    **{f'builtins.{one.__name__}': one for one in (complex, dict, list)},
    **{f'collections.{one.__name__}': one for one in (OrderedDict, defaultdict)},
    'pathlib.PosixPath': PurePosixPath,
    'pathlib._local.PosixPath': PurePosixPath,
    'numpy.dtype': _Dtype,
    'numpy.ndarray': _Array,
    # an enumeration of integers, of which only the number is needed
    'detectron2.structures.boxes.BoxMode': int,
}
for _core in ('numpy.core', 'numpy._core'):
    PLAIN[f'{_core}.multiarray._reconstruct'] = _reconstruct
    PLAIN[f'{_core}.multiarray.scalar'] = _scalar
    PLAIN[f'{_core}.numeric._frombuffer'] = _from_buffer
# Imported only when a file needs them.
_IMPORTED = {
    '_codecs.encode',
    'torch.from_numpy',
    'mmengine.structures.instance_data.InstanceData',
    'mmengine.structures.base_data_element.BaseDataElement',
}


class _ArrayUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        """Refuse everything that arrays do not need."""
        # Python 2's name of the module
        module = 'builtins' if module == '__builtin__' else module
        full = f'{module}.{name}'
        if full in PLAIN:
            return PLAIN[full]
        if full in _IMPORTED:
            return super().find_class(module, name)
        raise UnsafePickleError(full)


class _ArrayPickler(pickle.Pickler):
    def reducer_override(self, value: Any) -> Any:
        """Write tensors as arrays, of which any reader makes tensors again."""
        import torch

        if isinstance(value, torch.Tensor):
            value = value.detach().cpu()
            value = value.float() if value.dtype == torch.bfloat16 else value
            return torch.from_numpy, (np.ascontiguousarray(value.numpy()),)
        # by its public name, for torch pickles it by an internal class
        return 'from_numpy' if value is torch.from_numpy else NotImplemented


def plain(value: Any, seen: dict[int, Any] | None = None) -> Any:
    """Replace the stand-ins of arrays and data types by the real ones.

    Args:
        value: What was unpickled by the names in ``PLAIN``; containers are changed in place.
        seen: The containers that are done, by their identity.

    Returns:
        The value, of plain arrays.
    """
    seen = {} if seen is None else seen
    first = id(value) not in seen
    if isinstance(value, _Dtype):
        return value.dtype
    if isinstance(value, tuple):
        done = [plain(one, seen) for one in value]
        changed = any(one is not old for one, old in zip(done, value))
        return type(value)(done) if changed else value
    if first and not isinstance(value, type):
        seen[id(value)] = value
        _make_content_plain(value, seen)
    return value.view(np.ndarray) if isinstance(value, _Array) else value


def _make_content_plain(value: Any, seen: dict[int, Any]) -> None:
    if isinstance(value, dict):
        value.update({key: plain(one, seen) for key, one in value.items()})
    elif isinstance(value, list):
        value[:] = [plain(one, seen) for one in value]
    elif isinstance(value, _Array) and value.dtype == object:
        value.flat[:] = [plain(one, seen) for one in value.flat]
    elif isinstance(state := getattr(value, '__dict__', None), dict):
        plain(state, seen)


def load_arrays(
    path: str | Path,
    kind: str = 'a pickle of arrays',
    remedy: str = 'download it again, or write the boxes as plain numpy arrays',
    trustable: bool = False,
) -> Any:
    """Unpickle arrays and tensors in lists and dicts, also from Python 2, without executing code.

    Args:
        path: The file.
        kind: What it should be, for messages.
        remedy: What the user can do if it is damaged.
        trustable: Whether the user may choose to trust the file, see :func:`trust_files`.

    Returns:
        Its content.

    Raises:
        UserError: If the file is missing, damaged, or contains objects that could execute code.
    """
    with explain_read_errors(path, kind, remedy), open(path, 'rb') as file:
        if trustable and files_are_trusted():
            return pickle.load(file, encoding='latin1')
        try:
            return plain(_ArrayUnpickler(file, encoding='latin1').load())
        except UnsafePickleError as error:
            if trustable:
                raise refusal(path, str(error)) from error
            raise ValueError(f'it contains {error}, which is no array') from error
        except Exception as error:
            file.seek(0)
            head = file.read(200)
            if head[:4] == b'PK\x03\x04':
                raise ValueError(
                    'it is a zip archive, as .zip, .npz and .pth files are, and no pickle'
                ) from error
            if head[:6] == b'\x93NUMPY':
                raise ValueError('it is a .npy file, which names no photos') from error
            if re.fullmatch(rb'[^\0-\x08\x0e-\x1f\x7f-\xff]+', head):
                raise ValueError('it is a text, such as CSV or JSON, and no pickle') from error
            raise


def dump_arrays(content: Any, path: str | Path) -> None:
    """Pickle lists and dicts of arrays and tensors so that :func:`load_arrays` reads them.

    Tensors are written as arrays, and any reader gets tensors back.

    Args:
        content: To write.
        path: The file.
    """
    with open(path, 'wb') as file:
        # with a later protocol, arrays are read-only
        _ArrayPickler(file, protocol=4).dump(content)
