"""The config that a checkpoint holds, read as data."""

import ast
import sys
from collections.abc import Iterator
from typing import Any

from mmcv import ops
from mmengine import registry
from mmengine.config import Config
from mmengine.registry import Registry

from mmlabelpenet.utils import UserError, explain_read_errors, files_are_trusted, refusal

REMEDY = 'name the config that it was trained with'
# The parts of a config that the inferencer builds.
_BUILT = ('model', 'test_dataloader', 'val_dataloader')


def config_of_checkpoint(checkpoint: dict, path: str) -> Config:
    """Read the config that a checkpoint holds.

    The text is executed only in a block of :func:`~mmlabelpenet.utils.trust_files`. Else it must
    be assignments of plain values, as MMEngine writes them, and may neither import modules nor
    build anything but registered types.

    Args:
        checkpoint: See :func:`read_checkpoint`.
        path: Its file, for messages.

    Returns:
        The config.

    Raises:
        UserError: If the checkpoint holds no config, or one that is more than data.
    """
    text = checkpoint['meta'].get('cfg')
    if not text or not isinstance(text, str):
        raise UserError(f'{path} holds no config: {REMEDY}.')
    with explain_read_errors(path, 'a config', REMEDY):
        if files_are_trusted():
            return Config.fromstring(text, '.py')
        content = _parse(text, path)
        if not isinstance(content.get('model'), dict):
            raise ValueError('it has no model')
        _require_known_parts(content, path)
        return Config(content)


def _parse(text: str, path: str) -> dict[str, Any]:
    content = {}
    for line in ast.parse(text).body:
        match line:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                content[name] = _value(value, path)
            case _:
                raise _no_data(line, path)
    return content


def _value(node: ast.expr, path: str) -> Any:
    """Evaluate literals, and calls of ``dict`` with them."""
    try:
        match node:
            case ast.Call(func=ast.Name(id='dict'), args=[*args], keywords=named):
                given = [_value(one, path) for one in args]
                return dict(*given) | {str(one.arg): _value(one.value, path) for one in named}
            case ast.Dict(keys=keys, values=values):
                # a key that is none stands for ** and is no literal
                names = [ast.literal_eval(key or node) for key in keys]
                return dict(zip(names, (_value(one, path) for one in values)))
            case ast.List(elts=parts):
                return [_value(one, path) for one in parts]
            case ast.Tuple(elts=parts):
                return tuple(_value(one, path) for one in parts)
            case _:
                return ast.literal_eval(node)
    except ValueError as error:
        raise _no_data(node, path) from error


def _no_data(node: ast.stmt | ast.expr, path: str) -> UserError:
    code = ast.unparse(node).partition('\n')[0]
    return refusal(path, f'a config with the code `{code[:60]}`', REMEDY)


def _require_known_parts(content: dict, path: str) -> None:
    """Refuse modules and types by which MMEngine would import files or call functions."""
    imports = (content.get('custom_imports') or {}).get('imports') or []
    for name in [imports] if isinstance(imports, str) else imports:
        if name not in sys.modules and not str(name).startswith('mmlabelpenet.'):
            raise refusal(path, f'a config that imports {name}', REMEDY)
    names, scopes = _registered()
    for full in _types({key: content.get(key) for key in _BUILT}):
        scope, _, name = str(full).rpartition('.')
        if name not in names or (scope and scope not in scopes):
            raise refusal(path, f'a config of the unregistered type {full}', REMEDY)


def _types(node: Any) -> Iterator[Any]:
    """Get the types of all parts, with the scope in which they are looked up."""
    if isinstance(node, dict):
        if 'type' in node:
            scope = node.get('_scope_')
            yield node['type'] if scope is None else f'{scope}.{node["type"]}'
        node = list(node.values())
    if isinstance(node, list | tuple):
        for part in node:
            yield from _types(part)


def _registered() -> tuple[set[str], set[str]]:
    """Names of all types that MMEngine and packages on top of it can build, and their scopes."""
    # some parts look up layers and functions of mmcv.ops by their names
    names = set(vars(ops))
    # a tracker's part of mmdet, which evaluates a setting as code
    evaluates = {'CameraMotionCompensation'}
    scopes: set[str] = set()
    left = [one for one in vars(registry).values() if isinstance(one, Registry)]
    while left:
        one = left.pop()
        names |= one.module_dict.keys()
        scopes.add(one.scope)
        left.extend(one.children.values())
    return names - evaluates, scopes
