"""Names that nothing knows, and names that look the same."""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable
from difflib import get_close_matches

# Characters that cannot be seen: control characters, soft hyphens, blanks of no width, marks of
# the direction and variants of characters. Joiners are seen between letters that are not Latin.
_HIDDEN = (
    '\x00-\x08\x0e-\x1b\x7f\u00ad\u034f\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069'
    '\ufe00-\ufe0f\ufeff'
)
HIDDEN = re.compile(
    f'[{_HIDDEN}]|(?<![^\x00-\u024f])[\u200c\u200d]|[\u200c\u200d](?![^\x00-\u024f])'
)
# Blanks and punctuation by which spellings of one name differ; not the signs of C#, C++ and A-,
# and not those within numbers.
_SIGNS = r'(?:[\s_.,:;!?\'’"/|&()]|-(?=\w))'
PUNCTUATION = re.compile(rf'(?<!\d){_SIGNS}|{_SIGNS}(?!\d)')
EDGES = re.compile(rf'^[\s{_HIDDEN}]+|[\s{_HIDDEN}]+$')


def visible_name(name: str) -> str:
    """Write a name in the form in which names that look the same are the same text.

    Args:
        name: The name.

    Returns:
        The name in Unicode's composed form, with plain blanks, and without blanks at its ends and
        characters that cannot be seen.
    """
    return re.sub(r'\s', ' ', HIDDEN.sub('', unicodedata.normalize('NFC', name))).strip()


def strip_name(name: str) -> str:
    """Remove blanks and characters that cannot be seen from the ends of a name.

    Args:
        name: The name.

    Returns:
        The name, otherwise as it is.
    """
    name = name.strip()
    return name if name.isascii() else EDGES.sub('', name)


def similar_names(names: Iterable[str]) -> list[list[str]]:
    """Group names with letters or digits that differ only in case, blanks, -_ and such, or plural.

    Args:
        names: The names.

    Returns:
        The groups of more than one name.
    """
    groups: dict[str, list[str]] = defaultdict(list)
    for name in names:
        plain = unicodedata.normalize('NFKC', name).casefold()
        groups[PUNCTUATION.sub('', plain).rstrip('s')].append(name)
    return [
        group for key, group in groups.items() if len(group) > 1 and any(map(str.isalnum, key))
    ]


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
