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
