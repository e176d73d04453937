"""Checking a config before anything is built: unknown settings, types and values out of range."""

import re
from collections.abc import Container
from typing import Any

from mmdet.datasets.transforms import Albu
from mmengine.config import Config
from mmengine.registry import Registry

import mmlabelpenet.registry as registry
from mmlabelpenet.utils import UserError, advise_name, nearest_name, register_all_modules
from mmlabelpenet.utils.errors import LONGEST

from .parts import (
    EXTRAS,
    FOREIGN_TYPES,
    REGISTRIES,
    Names,
    find_type,
    names_of,
    names_without_type,
    registered_names,
    top_level_hints,
    top_level_names,
)
from .rules import check_rules
from .values import comma_advice, wrong_value

# Contents that no class of this package or of mmdet checks by name.
OPAQUE: tuple[str, ...] = ('backend_args', 'data_prefix', 'file_client_args')
OPAQUE += ('metainfo', 'shared_settings')
# The names in these dicts are the user's; their values are checked as dicts of this name.
OF_USER = {'phases': 'phase', 'custom_keys': 'custom_key'}
SCOPES = ('mmengine', 'mmdet', registry.SCOPE)
# Likeness of names for a setting of classes that may take any.
ALIKE = 0.85
# Settings of other models of which the range is known.
CHECKED = ('mean', 'num_classes', 'pad_size_divisor', 'std')
# Parts of other models that are built by a registry of models.
_PART = re.compile(r'head|neck|backbone|^loss')
# What must be given as dicts with a type, alone or in lists.
BUILT: tuple[str, ...] = ('batch_sampler', 'custom_hooks', 'datasets', 'optimizer', 'pipeline')
BUILT += ('param_scheduler', 'sampler', 'transforms', 'tta_pipeline', 'vis_backends')
BUILT += ('corloc_evaluator', 'test_evaluator', 'val_evaluator', 'visualizer')
TYPED = ('default_hooks', 'custom_hooks', 'pipeline', 'transforms', 'dataset', 'datasets')


def check_config(
    cfg: Config, whole: bool = True, new: Container[str] = (), runs_model: bool = True
) -> None:
    """Check a config, after inheritance and overrides.

    Unknown settings and types are errors, and so are values out of range. Names at the top level
    that neither mmengine nor this package reads are left to the user.

    Args:
        cfg: The config.
        whole: Whether all of it is checked. If not, only its data sets are, without their
            pipelines, which is enough to list images.
        new: Dotted keys that overrides have added.
        runs_model: Whether the data sets must have all that the model needs.

    Raises:
        UserError: If anything is wrong.
    """
    register_all_modules(init_default_scope=False)
    check = ConfigCheck(cfg, whole, new)
    for key, value in cfg.items():
        if key in top_level_names() and (whole or key.endswith('_dataloader')):
            first = registry.METRICS if key.endswith('_evaluator') else REGISTRIES.get(key)
            check.check_top(key, value, first)
    if whole:
        check_rules(cfg, runs_model)


class ConfigCheck:
    """Checks the parts of a config one by one.

    Args:
        cfg: The config, after inheritance and overrides.
        whole: Whether pipelines are checked too.
        new: Dotted keys that overrides have added.
    """

    def __init__(self, cfg: Config, whole: bool = True, new: Container[str] = ()) -> None:
        self.new = new
        self.opaque = OPAQUE if whole else (*OPAQUE, 'pipeline')
        scope = cfg.get('default_scope') or registry.SCOPE
        # a base without either may be meant for the classes of another scope
        self.is_base = not cfg.get('default_scope') and 'model' not in cfg
        if scope not in SCOPES and nearest_name(scope, SCOPES, ALIKE):
            raise UserError(f"default_scope '{scope}' is unknown: {advise_name(scope, SCOPES)}")
        self.knows_scope = scope in SCOPES
        self.scope = scope if self.knows_scope else registry.SCOPE

    def check_top(self, key: str, value: Any, first: Registry | None) -> None:
        """Check a setting at the top level and all that it holds."""
        if value is not None:
            _require_right(key, value, top_level_hints().get(key, Any))
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
        # the parts of Albumentations are in no registry
        if key in self.opaque or parent is Albu:
            return
        if isinstance(node, list | tuple):
            for number, item in enumerate(node):
                self.check(f'{path}.{number}', key, item, first, parent)
        if key in BUILT and isinstance(node, str | int | float):
            raise UserError(f'{path} must be a dict with a type, not {node!r}.')
        if not isinstance(node, dict):
            return
        reader = self._reader(path, key, node, first, parent)
        names = self._names(key, node, first, reader, parent)
        if names is not None:
            self._check_names(path, node, names)
        if names is None or names.open:
            self._check_new(path, node)
        inner = reader or parent
        for name, value in node.items():
            below = f'{path}.{name}'
            foreign = _is_foreign_model(first, inner) and name not in CHECKED
            free = foreign or (names is not None and name in names.free)
            hint = names.hints.get(name, Any) if names is not None else Any
            _require_right(below, value, hint, '' if free else str(name))
            self.check(below, OF_USER.get(key) or name, value, _registry_below(name, first), inner)

    def _reader(self, path: str, key: str, node: dict, first: Registry | None, parent: Any) -> Any:
        """Find the class that is built from a dict; None if it has no type."""
        if 'type' not in node:
            if _needs_type(path, key):
                raise UserError(f'{path} has no type: name the class to build.')
            return None
        if key in FOREIGN_TYPES:
            return None
        reader = find_type(node['type'], first, self.scope)
        if reader is None and self.knows_scope and find_type(node['type'], first) is not None:
            raise UserError(
                f'{path}: {node["type"]} is a class of this package, which default_scope='
                f"'{self.scope}' leaves out: set default_scope='{registry.SCOPE}'."
            )
        if reader is None and first is not None and self.knows_scope:
            known = registered_names(first)
            foreign = _is_foreign_model(first, parent)
            if not foreign or (_PART.search(key) and nearest_name(node['type'], known, ALIKE)):
                raise UserError(
                    f"{path}: no {first.name} is registered as '{node['type']}': "
                    f'{advise_name(node["type"], known)}'
                )
        return reader if callable(reader) else None

    def _names(
        self, key: str, node: dict, first: Registry | None, reader: Any, parent: Any
    ) -> Names | None:
        if reader is None:
            return None if 'type' in node else names_without_type(key, node, parent)
        names = names_of(reader)
        extras = EXTRAS.get('' if first is None else first.name, frozenset())
        return names._replace(
            known=names.known | extras | {'type', '_scope_', '_delete_'},
            open=names.open or self.is_base or _is_foreign_model(first, parent),
        )

    def _check_names(self, path: str, node: dict, names: Names) -> None:
        owner = f'{path} ({node["type"]})' if isinstance(node.get('type'), str) else path
        for name in node:
            if name in names.known:
                continue
            if not names.open or nearest_name(name, names.known, ALIKE):
                known = [one for one in names.known if one[0] != '_' and one != 'type']
                raise UserError(f"{owner} has no setting '{name}': {advise_name(name, known)}")
        missing = sorted(names.required.difference(node))
        if missing:
            raise UserError(f'{owner} lacks {missing[0]}: set {path}.{missing[0]}.')

    def _check_new(self, path: str, node: dict) -> None:
        """Find misspelt overrides in dicts of which the names are not known."""
        for name in node:
            others = [one for one in node if one != name]
            if f'{path}.{name}' in self.new and nearest_name(name, others, ALIKE):
                raise UserError(f"{path} has no setting '{name}': {advise_name(name, others)}")


def _require_right(path: str, value: Any, hint: Any, name: str = '') -> None:
    wrong = wrong_value(name, value, hint)
    if wrong is not None:
        shown = repr(value)
        shown = shown if len(shown) < LONGEST else f'{shown[:LONGEST]} ...'
        raise UserError(f'{path} {wrong}, not {shown}{comma_advice(value, hint)}.')


def _is_foreign_model(first: Registry | None, reader: Any) -> bool:
    """Whether a part lies within a model that is not of this package."""
    own = reader is None or str(reader.__module__).startswith(registry.SCOPE)
    return first is registry.MODELS and not own


def _needs_type(path: str, key: str) -> bool:
    parts = path.split('.')
    if key in TYPED:
        return key not in ('default_hooks',)
    return len(parts) == 2 and parts[0] == 'default_hooks'


def _registry_below(name: str, first: Registry | None) -> Registry | None:
    within_model = first is registry.MODELS and name != 'init_cfg'
    return first if within_model else REGISTRIES.get(name, first)
