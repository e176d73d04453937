"""Building what a config describes, with errors as sentences."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from mmlabelpenet.utils import UserError, advise_name

from .config_parts import all_registries, registered_names

_MISSING = re.compile(r"'?\"?(\S+) is not in the (?:\S+) registry")
_PREFIX = re.compile(r'^class `[\w.]+` in [\w./]+?:\s*')
# What constructors of mmengine, mmdet and this package raise about their arguments.
ERRORS = (AssertionError, AttributeError, ImportError, IndexError, KeyError, TypeError, ValueError)


@contextmanager
def explain_build_errors(path: object) -> Iterator[None]:
    """Explain errors of building the parts of a config in one sentence.

    Args:
        path: Of the config.

    Raises:
        UserError: If a part cannot be built.
    """
    try:
        yield
    except ERRORS as error:
        raise UserError(f'{path}: {build_sentence(error)}') from error


def build_sentence(error: Exception) -> str:
    """Write what is wrong with a config, from an error in building it."""
    text = ' '.join(str(error.args[0] if error.args else error).split())
    found = _MISSING.search(text)
    if found:
        known = registered_names(*all_registries())
        return f"nothing is registered as '{found[1]}': {advise_name(found[1], known)}"
    while _PREFIX.match(text):
        text = _PREFIX.sub('', text)
    kind = '' if ' ' in text else f' ({type(error).__name__})'
    text = text if len(text) < 400 else f'{text[:400]} ...'
    return f'a part of it cannot be built{kind}: {text.rstrip(".")}; fix its settings.'
