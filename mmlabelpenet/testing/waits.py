"""Counting waits for the device, without a device."""

import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

# Functions that read from the device or send a number of Python's to it.
MOVING = {'cpu', 'new_tensor', 'tolist'}
CREATING = {'as_tensor', 'tensor'}
# Operations whose result, or its size, is needed by the host.
READING = {
    'aten::_local_scalar_dense',
    'aten::_unique2',
    'aten::bincount',
    'aten::equal',
    'aten::masked_select',
    'aten::nonzero',
    'aten::unique_dim',
}
INDEXING = {'aten::index', 'aten::index_put_', 'aten::_index_put_impl_'}


class DeviceWaits(TorchFunctionMode):
    """Notes where a program would wait for a GPU, while it runs on a CPU.

    On a GPU operations are queued; a program waits where it reads a value (``item``, ``tolist``,
    ``cpu``), where the size of a result depends on values (``nonzero``, an index of conditions),
    and where it sends a number from memory that is not pinned (``new_tensor``, ``tensor`` with a
    device). ``torch.cuda.set_sync_debug_mode`` tells the same on a GPU.

    Attributes:
        places: How often each place waits, as ``file.py:line function``.

    Example:
        >>> with DeviceWaits() as waits:
        ...     model.train_step(data, optim_wrapper)
        >>> waits.count
    """

    def __init__(self) -> None:
        super().__init__()
        self.places: Counter[str] = Counter()
        self._operations = _Operations(self._note)

    @property
    def count(self) -> int:
        """Number of waits."""
        return self.places.total()

    def __enter__(self) -> 'DeviceWaits':
        """Begin to look."""
        self._operations.__enter__()
        return super().__enter__()

    def __exit__(self, *error: Any) -> None:
        """Stop looking."""
        super().__exit__(*error)
        self._operations.__exit__(*error)

    def __torch_function__(
        self, func: Callable, types: Any, args: tuple = (), kwargs: dict | None = None
    ) -> Any:
        """Call a function of torch, and note it if it waits."""
        name = getattr(func, '__name__', '')
        created = name in CREATING and (kwargs or {}).get('device') is not None
        if name in MOVING or created:
            self._note()
        return func(*args, **(kwargs or {}))

    def _note(self) -> None:
        """Note the place in the code that calls torch."""
        frame = sys._getframe(1)
        skipped = (__file__, str(Path(torch.__file__).parent))
        while frame.f_back and frame.f_code.co_filename.startswith(skipped):
            frame = frame.f_back
        code = frame.f_code
        self.places[f'{Path(code.co_filename).name}:{frame.f_lineno} {code.co_name}'] += 1


class _Operations(TorchDispatchMode):
    """Calls back at each operation that waits."""

    def __init__(self, note: Callable[[], None]) -> None:
        super().__init__()
        self.note = note

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None
    ) -> Any:
        name = func._schema.name
        if name in READING or (name in INDEXING and _has_condition(args[1])):
            self.note()
        return func(*args, **(kwargs or {}))


def _has_condition(indices: Any) -> bool:
    return any(isinstance(one, Tensor) and one.dtype == torch.bool for one in indices)
