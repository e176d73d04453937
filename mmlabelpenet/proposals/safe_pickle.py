"""Reading pickles of arrays without running what others put into them."""

import pickle
from pathlib import Path
from typing import Any

from mmlabelpenet.utils import UserError

# What arrays, tensors and mmengine's containers are pickled with; nothing of it runs commands.
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
        """Refuse all but what arrays need."""
        # Python 2 named its built-in module otherwise.
        module = {'__builtin__': 'builtins'}.get(module, module)
        if (module, name) == ('detectron2.structures.boxes', 'BoxMode'):
            # An enumeration of integers: the number is all that counts.
            return int
        if name in _ALLOWED.get(module, ()):
            return super().find_class(module, name)
        raise pickle.UnpicklingError(f'it holds {module}.{name}, which is no array')


def load_arrays(path: str | Path) -> Any:
    """Unpickle arrays in lists and dicts, also those that Python 2 wrote.

    Args:
        path: The file.

    Returns:
        Its content.

    Raises:
        UserError: If the file is missing, damaged, or holds anything that could run.
    """
    try:
        with open(path, 'rb') as file:
            return _ArrayUnpickler(file, encoding='latin1').load()
    # A damaged pickle fails in any way.
    except Exception as error:
        raise UserError(
            f'{path} cannot be read as a pickle of arrays ({error}): download it again, or write '
            'boxes as plain numpy arrays.'
        ) from None
