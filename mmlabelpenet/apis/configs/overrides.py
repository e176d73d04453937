"""Overrides of a config by ``--cfg-options``, and settings that occur in several places."""

import argparse
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mmengine.config import Config, DictAction

from mmlabelpenet.utils import UserError, advise_name

from .files import IDLE, OLD_NAMES
from .parts import top_level_names


class OptionText(str):
    """The text of an override, whose type follows from the setting that it replaces."""

    def value(self, current: Any) -> Any:
        """Read the text as mmengine does, but keep paths as they are.

        mmengine removes blanks, splits text at commas, and makes numbers of names such as 2012.

        Args:
            current: What the config has so far; None if nothing.
        """
        text = self.strip('\'"')
        parsed = DictAction._parse_iterable(text)
        is_list = text[:1] in ('[', '(')
        if isinstance(current, str) and not is_list:
            return None if text == 'None' else text
        return text if isinstance(parsed, str) else parsed


class ConfigOptions(argparse.Action):
    """Reads ``KEY=VALUE ...`` into a dict of :class:`OptionText` by dotted key."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        """Add the pairs to those of earlier occurrences."""
        options = dict(getattr(namespace, self.dest) or {})
        for pair in values:
            key, equals, text = pair.partition('=')
            if not equals or not all(key.split('.')):
                parser.error(f"{option_string} takes key=value, not '{pair}'.")
            if any(text.count(a) != text.count(b) for a, b in ('()', '[]')):
                parser.error(f"{option_string} {key}: brackets do not match in '{text}'.")
            for other, before in options.items():
                same = key == other and text != before
                if same or key.startswith(f'{other}.') or other.startswith(f'{key}.'):
                    parser.error(
                        f'{option_string} sets both {other}={before} and {pair}: give one.'
                    )
            options[key] = OptionText(text)
        setattr(namespace, self.dest, options)


def apply_options(
    cfg: Config, options: Mapping[str, Any], earlier: Mapping[str, Sequence]
) -> set[str]:
    """Override settings, and set the new values wherever the old ones occur.

    Args:
        cfg: The config; changed in place.
        options: Values, or :class:`OptionText`, by dotted key.
        earlier: Values that plain settings had in base configs.

    Returns:
        The dotted keys that the config did not have before.

    Raises:
        UserError: If an override sets nothing that is read.
    """
    shared = cfg.get('shared_settings') or {}
    if not isinstance(shared, dict):
        raise UserError(f'shared_settings must be a dict, not {shared!r}.')
    variables = {*shared, *earlier, *(key for key in options if key in cfg)} - top_level_names()
    if 'proposal_root' in cfg:
        variables.add('proposal_root')
    olds = {name: [*earlier.get(name, ()), cfg.get(name)] for name in variables}
    for name, value in shared.items():
        olds[name].append(value)
    new: set[str] = set()
    cfg.merge_from_dict({key: _new_value(cfg, key, value, new) for key, value in options.items()})
    for name in variables:
        changed = [old for old in olds[name] if not _same(old, cfg[name])]
        found = spread(cfg._cfg_dict, name, changed, cfg[name], top=True)
        if changed and not found and name not in shared and name != 'proposal_root':
            raise UserError(IDLE.format(name))
    for name in shared:
        shared[name] = cfg[name]
    return new


def _new_value(cfg: Config, key: str, value: Any, new: set[str]) -> Any:
    """Read the value of an override, and note the part of its key that is new."""
    node: Any = cfg._cfg_dict
    parts = key.split('.')
    for depth, part in enumerate(parts):
        path = '.'.join(parts[: depth + 1])
        if isinstance(node, list | tuple):
            if not part.isdigit() or int(part) >= len(node):
                raise UserError(
                    f"--cfg-options {key}: '{part}' is no place in a list of {len(node)}, which "
                    'are counted from 0.'
                )
            node = node[int(part)]
        elif isinstance(node, dict):
            if depth == 0:
                _require_read(cfg, key, part)
            if part not in node:
                new.add(path)
                node = None
                break
            node = node[part]
        else:
            parent = '.'.join(parts[:depth])
            raise UserError(
                f'--cfg-options {key}: {parent} is {node!r} in this config and holds no '
                f"'{part}': set {parent} as a whole in a config of your own."
            )
    return value.value(node) if isinstance(value, OptionText) else value


def _require_read(cfg: Config, key: str, name: str) -> None:
    """Make sure that a top-level name is one that is read."""
    if name in top_level_names() or (name in cfg and name == key):
        return
    if name in cfg:
        raise UserError(IDLE.format(name))
    same = settings_called(cfg, name)
    advice = f'did you mean {same[0]}?' if same else advise_name(name, top_level_names())
    advice = f'set {OLD_NAMES[name]} instead.' if name in OLD_NAMES else advice
    raise UserError(f"--cfg-options {key}: nothing reads '{name}': {advice}")


def settings_called(cfg: Config, name: str) -> list[str]:
    """List the settings below the top level whose last name this is."""
    return [one for one in _paths(cfg._cfg_dict) if one.endswith(f'.{name}')]


def _paths(node: Any, prefix: str = '') -> Iterator[str]:
    if isinstance(node, dict):
        for key, value in node.items():
            if prefix or key in top_level_names():
                yield f'{prefix}{key}'
                yield from _paths(value, f'{prefix}{key}.')


def _same(one: Any, other: Any) -> bool:
    """Compare plain values; lists and tuples alike are equal."""
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return list(one) == list(other)
    return type(one) is type(other) and one == other


def _spreads(value: Any) -> bool:
    """Whether a value stands for a setting: a number of the same name may mean another thing."""
    return isinstance(value, str | list | tuple)


def spread(node: Any, name: str, olds: Sequence, new: Any, top: bool = False) -> int:
    """Set the new value wherever a dict has a setting with one of its old values.

    Args:
        node: The config, or a part of it; changed in place.
        name: The setting.
        olds: Its old values.
        new: Its new value.
        top: Whether the node is the config itself, which has the new value already.

    Returns:
        Number of places, those at the top level left out.
    """
    if isinstance(node, list | tuple):
        return sum(spread(item, name, olds, new) for item in node)
    if not isinstance(node, dict):
        return 0
    count = 0
    for key, value in node.items():
        if key == 'shared_settings' or (top and key == name):
            continue
        if key == name and any(_same(value, old) for old in olds if _spreads(old)):
            node[key] = new
            count += not top
        else:
            count += spread(value, name, olds, new)
    return count
