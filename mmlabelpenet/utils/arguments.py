"""Command lines: a parser that takes each option once, and numbers within their limits."""

import argparse
import math
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any


class Parser(argparse.ArgumentParser):
    """Refuses empty arguments, and options that are given twice, of which argparse takes the last.

    ``--cfg-options`` adds up, and may be given more than once.
    """

    def parse_known_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: Any = None
    ) -> tuple[Any, list[str]]:
        """Parse arguments, see ``argparse.ArgumentParser``."""
        args = sys.argv[1:] if args is None else list(args)
        names = [one.partition('=')[0] for one in args]
        for before, one, name in zip(['', *args], args, names):
            after = name if one else before
            if one in ('', f'{name}=') and name[:2] in ('', '--'):
                where = f'{after} is empty' if after[:2] == '--' else 'an argument is empty'
                self.error(f'{where}: give a value, or leave it out.')
            if name[:2] == '--' and name != '--cfg-options' and names.count(name) > 1:
                self.error(f'{name} is given more than once: give it once.')
        # as a shell does, which leaves --out=~/x and KEY=~/x alone
        args = [re.sub(r'(^|=)~(?=/|$)', lambda at: at[1] + str(Path.home()), one) for one in args]
        return super().parse_known_args(args, namespace)


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
