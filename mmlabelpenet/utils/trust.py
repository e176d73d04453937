"""Whether the files that are read may execute code."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from .errors import UserError

TRUST_HELP = (
    'load a file that holds more than weights and plain data; it can then run any code on this '
    'machine, so do this only with files whose author you trust'
)
_TRUSTED = ContextVar('trusted', default=False)


@contextmanager
def trust_files(trusted: bool = True) -> Iterator[None]:
    """Read checkpoints and pickles within the block though they may execute code.

    Args:
        trusted: Whether to; if not, files are read as plain data.
    """
    token = _TRUSTED.set(trusted)
    try:
        yield
    finally:
        _TRUSTED.reset(token)


def files_are_trusted() -> bool:
    """Whether the code runs in a block of :func:`trust_files`."""
    return _TRUSTED.get()


def refusal(path: object, content: str, remedy: str = '') -> UserError:
    """Make the error of a file that is no plain data.

    Args:
        path: The file.
        content: What it holds, such as ``'posix.system'``.
        remedy: What the user can do instead of trusting the file.
    """
    otherwise = f'{remedy}, or, ' if remedy else ''
    return UserError(
        f'{path} holds {content}, which is more than weights and plain data and could run any '
        f'code on this machine, so it was not loaded: {otherwise}if you trust its author, add '
        '--trust-checkpoint (trust_checkpoint=True of the inferencer).'
    )
