"""Config files: reading them with the environment, and plain settings that they set anew."""

import ast
import os
import re
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mmengine.config import Config

from mmlabelpenet.utils import UserError, nearest_name

from .parts import top_level_names

# mmengine's placeholder of an environment variable with its default.
_PLACEHOLDER = re.compile(r'\{\{[\'"]?\s*\$(\w+)\s*:')
# What means the same in Python's source, within quotes or not.
_SAFE = re.compile(r'[\w ./:,+~@%=-]')


@contextmanager
def quoted_environment(names: set[str]) -> Iterator[None]:
    """Escape environment variables for a while, so that they can stand in a Python string.

    mmengine pastes their text into the source of a config, where a quote would end the string and
    the rest would be executed.

    Args:
        names: The variables.
    """
    before = {name: os.environ[name] for name in names if name in os.environ}
    try:
        for name, text in before.items():
            os.environ[name] = ''.join(map(_escaped, text))
        yield
    finally:
        os.environ.update(before)


def _escaped(letter: str) -> str:
    # two backslashes, since mmengine passes the text through re.sub
    return letter if _SAFE.match(letter) else f'\\\\U{ord(letter):08x}'


def read_file(path: str | Path) -> Config:
    """Read a config file with its bases, and with environment variables as plain text.

    Args:
        path: The file.

    Raises:
        UserError: If a module that it imports is missing, or two bases set the same names.
    """
    texts = [Path(one).read_text(encoding='utf-8') for one in chain_of(path)]
    with quoted_environment({name for text in texts for name in _PLACEHOLDER.findall(text)}):
        try:
            return Config.fromfile(str(path))
        except KeyError as error:
            names = sorted(re.findall(r"'(\w+)'", str(error)))
            if 'Duplicate key' not in str(error) or not names:
                raise
            raise UserError(
                f"{path} has two bases that both set '{names[0]}': inherit one of them."
            ) from error
        except ImportError as error:
            raise UserError(
                f'{path} imports a module that cannot be imported ({error.__cause__ or error}): '
                'fix its name, or set PYTHONPATH to its folder.'
            ) from error


def bases_of(path: str | Path) -> list[Path]:
    """List the base configs that a Python config names by file; those of packages are left out."""
    for node in _tree(path).body:
        if isinstance(node, ast.Assign) and '_base_' in _targets(node):
            try:
                named = ast.literal_eval(node.value)
            except ValueError:
                return []
            files = [named] if isinstance(named, str) else list(named)
            return [Path(path).parent / one for one in files if '::' not in one]
    return []


def chain_of(path: str | Path) -> list[Path]:
    """List a config and all its bases that exist, the config first."""
    found = [Path(path)]
    for one in found:
        found += [base for base in bases_of(one) if base.is_file() and base not in found]
    return found


def _tree(path: str | Path) -> ast.Module:
    try:
        return ast.parse(Path(path).read_text(encoding='utf-8'))
    except (SyntaxError, ValueError):
        # mmengine gives the reason
        return ast.Module([], [])


def _targets(node: ast.Assign) -> set[str]:
    return {one.id for one in node.targets if isinstance(one, ast.Name)}


def unread_names(path: str | Path) -> set[str]:
    """Get the names that a config sets at its top level and does not read itself."""
    tree = _tree(path)
    assigned = {n for node in tree.body if isinstance(node, ast.Assign) for n in _targets(node)}
    loaded = {
        node.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)
    }
    return assigned - loaded - {'_base_'}


def _misspelt(name: str) -> str | None:
    """Find the setting that a name is most likely meant to be."""
    known = top_level_names()
    letters = {''.join(sorted(one)): one for one in known}
    return nearest_name(name, known, 0.9) or letters.get(''.join(sorted(name)))


def earlier_values(path: str | Path) -> dict[str, list]:
    """Get the values of plain settings in base configs that inheriting configs have set anew.

    mmengine replaces such a name at the top level alone, and not where the base has used it.

    Args:
        path: The config.

    Returns:
        The values in base configs, by name.

    Raises:
        UserError: If a config sets a name that no code reads, but is like one that is read.
    """
    values: dict[str, list[Any]] = defaultdict(list)
    for one in chain_of(path):
        names = unread_names(one) - top_level_names() | (unread_names(one) & {'proposal_root'})
        bases = [base for base in bases_of(one) if base.is_file()] if names else []
        inherited = [read_file(base) for base in bases]
        for name in sorted(names):
            found = [base[name] for base in inherited if name in base]
            near = _misspelt(name)
            if near and name != near and not found:
                raise UserError(f"{one}: nothing reads '{name}': did you mean '{near}'?")
            # a number of the same name and value may well mean something else
            values[name] += [one for one in found if isinstance(one, str | list | tuple)]
    return {name: found for name, found in values.items() if found}
