"""Reading JSON in which nothing is lost without a word."""

import json
from collections.abc import Sequence
from functools import partial
from typing import Any

from .errors import UserError


def load_json(path: object, content: str | bytes) -> Any:
    """Read JSON; an object that has a key twice is refused, because one value would be lost.

    Args:
        path: Of the file, for messages.
        content: Its text, or its bytes in any Unicode encoding, with or without a byte order mark.

    Raises:
        UserError: If a key is twice in an object.
        ValueError: If it is no JSON.
    """
    return json.loads(content, object_pairs_hook=partial(_unique_keys, path))


def _unique_keys(path: object, pairs: Sequence[tuple[str, Any]]) -> dict:
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise UserError(f'{path} has the key {twice!r} twice in one object: keep one of them.')
    return found
