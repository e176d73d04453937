"""Numbers of a command line, within their limits."""

import argparse
import math
from collections.abc import Callable


def number(
    kind: type[int] | type[float] = int, least: float = 0, greatest: float = math.inf
) -> Callable[[str], float]:
    """Make a type of argparse: a finite number within limits.

    Args:
        kind: ``int`` or ``float``.
        least: Its least value.
        greatest: Its greatest value.

    Returns:
        A function that reads such a number.

    Example:
        >>> number(int, 1)('3')
        3
    """
    name = 'a whole number' if kind is int else 'a number'
    limits = f'of at least {least}' if greatest == math.inf else f'from {least} to {greatest}'

    def read(text: str) -> float:
        try:
            value = kind(text)
        except ValueError:
            value = math.nan
        if not (least <= value <= greatest and math.isfinite(value)):
            raise argparse.ArgumentTypeError(f"must be {name} {limits}, not '{text}'")
        return value

    return read


def path(text: str) -> str:
    """Read a path of a command line, as a type of argparse.

    Args:
        text: The path. An empty one, as of a shell variable that is not set, would be the folder
            of the command.
    """
    if not text.strip():
        raise argparse.ArgumentTypeError('must be a path, but it is empty: set the shell variable')
    return text
