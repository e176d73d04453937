"""Errors that a user can fix."""

from collections.abc import Iterator
from contextlib import contextmanager

# Letters of another library's message within a sentence.
LONGEST = 300


class UserError(Exception):
    """Bad input, explained in one sentence that names the file and the remedy.

    The tools print the sentence without a traceback and exit with code 2.
    """


@contextmanager
def explain_read_errors(path: object, kind: str, remedy: str) -> Iterator[None]:
    """Explain any error in reading a file in one sentence.

    Damaged files raise errors of many types, depending on the library that reads them.

    Args:
        path: Of the file.
        kind: What the file should be, such as ``'a checkpoint'``.
        remedy: What the user can do about it.

    Raises:
        UserError: If anything is raised within the block.
    """
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        reason = f'{type(error).__name__}: {error}'
        reason = reason if len(reason) <= LONGEST else f'{reason[:LONGEST]} ...'
        raise UserError(f'{path} cannot be read as {kind} ({reason}): {remedy}.') from error
