"""Reading pickles of arrays without executing code from the file."""

import pickle
from pathlib import Path
from typing import Any

from mmlabelpenet.utils import explain_read_errors

# Needed by pickles of arrays and MMEngine's containers; none of these executes commands.
_ALLOWED = {
    '_codecs': {'encode'},
    'builtins': {'set', 'frozenset', 'slice', 'bytes', 'bytearray', 'complex', 'dict', 'list'},
    'collections': {'OrderedDict'},
    'numpy': {'dtype', 'ndarray'},
    'numpy.core.multiarray': {'_reconstruct', 'scalar'},
    'numpy._core.multiarray': {'_reconstruct', 'scalar'},
    'numpy.core.numeric': {'_frombuffer'},
    'numpy._core.numeric': {'_frombuffer'},
    'mmengine.structures.instance_data': {'InstanceData'},
    'mmengine.structures.base_data_element': {'BaseDataElement'},
}


class _ArrayUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        """Refuse everything that arrays do not need."""
        # Python 2's name of the module.
        module = 'builtins' if module == '__builtin__' else module
        if (module, name) == ('detectron2.structures.boxes', 'BoxMode'):
            # An enumeration of integers, of which only the number is needed.
            return int
        if name in _ALLOWED.get(module, ()):
            return super().find_class(module, name)
        raise pickle.UnpicklingError(f'it contains {module}.{name}, which is no array')


def load_arrays(path: str | Path) -> Any:
    """Unpickle arrays in lists and dicts, also from Python 2.

    Args:
        path: The file.

    Returns:
        Its content.

    Raises:
        UserError: If the file is missing, damaged, or contains objects that could execute code.
    """
    remedy = 'download it again, or write the boxes as plain numpy arrays'
    with explain_read_errors(path, 'a pickle of arrays', remedy), open(path, 'rb') as file:
        return _ArrayUnpickler(file, encoding='latin1').load()
