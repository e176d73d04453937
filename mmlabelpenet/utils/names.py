"""Messages about names that nothing knows."""

from collections.abc import Iterable
from difflib import get_close_matches


def nearest_name(name: object, known: Iterable[object], cutoff: float = 0.6) -> str | None:
    """Find the known name that is most like another one, whatever the case of its letters.

    Args:
        name: The name.
        known: The known names.
        cutoff: Least likeness in 0..1.

    Returns:
        The nearest name; None if there is none.
    """
    lower = {str(one).lower(): str(one) for one in known}
    found = get_close_matches(str(name).lower(), lower, 1, cutoff)
    return lower[found[0]] if found else None


def advise_name(name: object, known: Iterable[object], most: int = 12) -> str:
    """Write the half sentence that helps with an unknown name.

    Args:
        name: The unknown name.
        known: The known names.
        most: Names to list where none is near.

    Returns:
        ``did you mean 'x'?``, or ``known are a, b and c``.
    """
    names = sorted({str(one) for one in known})
    near = nearest_name(name, names)
    if near is not None:
        return f"did you mean '{near}'?"
    if not names:
        return 'leave it out.'
    rest = f' and {len(names) - most} more' if len(names) > most else ''
    return f'known are {", ".join(names[:most])}{rest}.'
