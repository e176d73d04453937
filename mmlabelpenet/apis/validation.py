"""Checking a config before anything is built: unknown settings, types and values out of range."""

from types import NoneType
from typing import Any

from mmengine.config import Config
from mmengine.registry import Registry

from mmlabelpenet import registry
from mmlabelpenet.utils import UserError, advise_name, nearest_name, register_all_modules

from .config_parts import (
    EXTRAS,
    FOREIGN_TYPES,
    REGISTRIES,
    Names,
    all_registries,
    find_type,
    names_of,
    names_without_type,
    registered_names,
    top_level_names,
)
from .config_rules import check_rules
from .config_values import wrong_value

# Contents that no class of this package or of mmdet checks by name.
OPAQUE = ('backend_args', 'custom_imports', 'custom_keys', 'data_prefix', 'file_client_args')
OPAQUE += ('metainfo', 'shared_settings')
SCOPES = ('mmengine', 'mmdet', registry.SCOPE)
# Likeness of names for a setting of classes that may take any.
ALIKE = 0.85
TYPED = ('default_hooks', 'custom_hooks', 'pipeline', 'transforms', 'dataset', 'datasets')


def check_config(cfg: Config, whole: bool = True) -> None:
    """Check a config, after inheritance and overrides.

    Unknown settings and types are errors, and so are values out of range. Names at the top level
    that neither mmengine nor this package reads are left to the user.

    Args:
        cfg: The config.
        whole: Whether all of it is checked. If not, only its data sets are, without their
            pipelines, which is enough to list images.

    Raises:
        UserError: If anything is wrong.
    """
    register_all_modules(init_default_scope=False)
    check = ConfigCheck(cfg, whole)
    for key, value in cfg.items():
        if key in top_level_names() and (whole or key.endswith('_dataloader')):
            first = registry.METRICS if key.endswith('_evaluator') else REGISTRIES.get(key)
            check.check_top(key, value, first)
    if whole:
        check_rules(cfg)


class ConfigCheck:
    """Checks the parts of a config one by one.

    Args:
        cfg: The config, after inheritance and overrides.
        whole: Whether pipelines are checked too.
    """

    def __init__(self, cfg: Config, whole: bool = True) -> None:
        self.opaque = OPAQUE if whole else (*OPAQUE, 'pipeline')
        self.knows_scope = cfg.get('default_scope', 'mmengine') in SCOPES

    def check_top(self, key: str, value: Any, first: Registry | None) -> None:
        """Check a setting at the top level and all that it holds."""
        if key.endswith(('_dataloader', '_cfg', 'model')) and not isinstance(
            value, dict | NoneType
        ):
            raise UserError(f'{key} must be a dict, not {value!r}.')
        wrong = wrong_value(key, value)
        if wrong is not None:
            raise UserError(f'{key} {wrong}, not {value!r}.')
        self.check(key, key, value, first, None)

    def check(self, path: str, key: str, node: Any, first: Registry | None, parent: Any) -> None:
        """Check a part and all that it holds.

        Args:
            path: Its dotted key.
            key: The last name in it.
            node: The part.
            first: The registry of its types.
            parent: Class that is built from the dict around it; None at the top level.
        """
        if key in self.opaque:
            return
        if isinstance(node, list | tuple):
            for number, item in enumerate(node):
                if isinstance(item, dict | list | tuple):
                    self.check(f'{path}.{number}', key, item, first, parent)
        if not isinstance(node, dict):
            return
        reader = self._reader(path, key, node, first, parent)
        names = self._names(key, node, first, reader, parent)
        if names is not None:
            self._check_names(path, node, names, parent)
        for name, value in node.items():
            self._check_value(f'{path}.{name}', name, value, names)
            inner = reader or parent
            self.check(f'{path}.{name}', name, value, _registry_below(name, first), inner)

    def _reader(
        self, path: str, key: str, node: dict, first: Registry | None, parent: Any
    ) -> Any:
        """Find the class that is built from a dict; None if it has no type."""
        if 'type' not in node:
            if _needs_type(path, key):
                raise UserError(f'{path} has no type: name the class to build.')
            return None
        if key in FOREIGN_TYPES:
            return None
        reader = find_type(node['type'], first)
        if reader is None and self.knows_scope:
            strict = first is not None and (parent is None or _is_own(parent) or key in REGISTRIES)
            known = registered_names(*([first] if strict and first else all_registries()))
            if strict or nearest_name(node['type'], known, ALIKE):
                kind = f'no {first.name}' if strict and first is not None else 'nothing'
                raise UserError(
                    f"{path}.type '{node['type']}' is registered as {kind}: "
                    f'{advise_name(node["type"], known)}'
                )
        return reader if callable(reader) else None

    def _names(
        self, key: str, node: dict, first: Registry | None, reader: Any, parent: Any
    ) -> Names | None:
        if reader is None:
            return None if 'type' in node else names_without_type(key, node, parent)
        if key.endswith('_cfg') and parent is not None and not _is_own(parent):
            return None
        names = names_of(reader)
        extras = EXTRAS.get('' if first is None else first.name, frozenset())
        return names._replace(known=names.known | extras | {'type', '_scope_', '_delete_'})

    def _check_names(self, path: str, node: dict, names: Names, parent: Any) -> None:
        owner = f'{path} ({node["type"]})' if isinstance(node.get('type'), str) else path
        for name in node:
            if name in names.known:
                continue
            if not names.open or nearest_name(name, names.known, ALIKE):
                raise UserError(f"{owner} has no setting '{name}': {advise_name(name, names.known)}")
        missing = sorted(names.required.difference(node))
        if missing:
            raise UserError(f'{owner} lacks {missing[0]}: set {path}.{missing[0]}.')

    def _check_value(self, path: str, name: str, value: Any, names: Names | None) -> None:
        hint = names.hints.get(name, Any) if names is not None else Any
        wrong = wrong_value(str(name), value, hint)
        if wrong is not None:
            raise UserError(f'{path} {wrong}, not {value!r}.')


def _is_own(reader: Any) -> bool:
    return str(getattr(reader, '__module__', '')).startswith(registry.SCOPE)


def _needs_type(path: str, key: str) -> bool:
    parts = path.split('.')
    if key in TYPED:
        return key not in ('default_hooks',)
    return len(parts) == 2 and parts[0] == 'default_hooks'


def _registry_below(name: str, first: Registry | None) -> Registry | None:
    within_model = first is registry.MODELS and name != 'init_cfg'
    return first if within_model else REGISTRIES.get(name, first)
