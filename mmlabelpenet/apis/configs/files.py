"""Config files: reading them with the environment, and plain settings that they set anew."""

import ast
import os
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from logging import WARNING
from pathlib import Path, PurePath
from typing import Any

import yaml
from mmengine.config import Config
from mmengine.config import config as mmengine_config
from mmengine.fileio import load
from mmengine.logging import print_log

from mmlabelpenet.utils import UserError, nearest_name

from .parts import top_level_names

# mmengine's placeholder of an environment variable with its default.
_PLACEHOLDER = re.compile(r'\{\{[\'"]?\s*\$(\w+)\s*:')
PLAIN = ('.json', '.yaml', '.yml')
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
        UserError: If a module that it imports is missing, two bases set the same names, or it ends
            the program.
    """
    files = chain_of(path)
    for one in files:
        _require_clear(one)
    texts = [_text(one) for one in files]
    variables = {name for text in texts for name in _PLACEHOLDER.findall(text)}
    with quoted_environment(variables), _byte_order_marks():
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
        except (SystemExit, RecursionError) as error:
            fault = 'is its own base' if isinstance(error, RecursionError) else 'ends the program'
            raise UserError(
                f'{path}, or a base of it, {fault}: a config sets values only; change that line.'
            ) from error


@contextmanager
def _byte_order_marks() -> Iterator[None]:
    """Let mmengine read files with the mark that editors of Windows write at their beginning."""

    def read(file: Any, mode: str = 'r', encoding: str | None = None) -> Any:
        return open(file, mode, encoding='utf-8-sig' if mode == 'r' else encoding)

    vars(mmengine_config)['open'] = read
    try:
        yield
    finally:
        del vars(mmengine_config)['open']


def _text(path: str | Path) -> str:
    return Path(path).read_text(encoding='utf-8-sig')


def bases_of(path: str | Path) -> list[Path]:
    """List the base configs that a config names by file; those of packages are left out."""
    files: list = []
    if Path(path).suffix in PLAIN:
        _content(path)
    try:
        with _byte_order_marks():
            if Path(path).suffix in ('.py', *PLAIN):
                files = Config._get_base_files(str(path))
    except (SyntaxError, ValueError):
        # mmengine gives the reason later
        pass
    except NameError as error:
        raise UserError(
            f'{path}: _base_ is computed ({error}): write it as a text, or a list of texts.'
        ) from error
    wrong = [one for one in files if not isinstance(one, str)]
    if wrong:
        raise UserError(f'{path}: _base_ must be a text or a list of texts, not {wrong[0]!r}.')
    return [Path(path).parent / one for one in files if '::' not in one]


def _content(path: str | Path) -> dict:
    """Read a config in YAML or JSON alone, without its bases."""
    content = load(path)
    if not isinstance(content, dict):
        raise UserError(
            f'{path} holds {"nothing" if content is None else f"a {type(content).__name__}"} '
            'instead of settings by their names: write them as NAME: VALUE.'
        )
    return content


def _require_clear(path: str | Path) -> None:
    """Refuse what Python, YAML and JSON take without a word, and that can not be meant."""
    for key, line in _keys_given_twice(path):
        raise UserError(f"{path}, line {line}: '{key}' is given twice in one dict: delete one.")
    tree = _tree(path)
    for node in ast.walk(tree):
        if not isinstance(node, ast.stmt):
            continue
        idle = isinstance(node, ast.Expr) and isinstance(node.value, ast.Compare)
        if idle or (isinstance(node, ast.AnnAssign) and node.value is None):
            raise UserError(
                f'{path}, line {node.lineno} ({ast.unparse(node)}) sets nothing: write = instead '
                f"of '{'==' if idle else ':'}'."
            )
        if isinstance(node, ast.Assign) and '_base_' in _targets(node) and node not in tree.body:
            raise UserError(
                f'{path}, line {node.lineno}: _base_ is set within another statement: set it at '
                'the beginning of a line of its own.'
            )


def _keys_given_twice(path: str | Path) -> Iterator[tuple[Any, int]]:
    suffix = Path(path).suffix
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.Dict):
            keys = [(one.value, one.lineno) for one in node.keys if isinstance(one, ast.Constant)]
            yield from _twice(keys)
    if suffix in PLAIN:
        text = _text(path)
        with suppress(yaml.YAMLError):
            nodes = [yaml.compose(text.replace('\t', ' ') if suffix == '.json' else text)]
            for one in filter(None, nodes):
                pairs = one.value if isinstance(one, yaml.MappingNode) else []
                yield from _twice((key.value, key.start_mark.line + 1) for key, _ in pairs)
                nodes += [value for _, value in pairs]
                nodes += one.value if isinstance(one, yaml.SequenceNode) else []


def _twice(keys: Iterable[tuple[Any, int]]) -> Iterator[tuple[Any, int]]:
    seen: set[Any] = set()
    for key, line in keys:
        if key in seen and key != '<<':
            yield key, line
        seen.add(key)


def chain_of(path: str | Path) -> list[Path]:
    """List a config and all its bases that exist, the config first."""
    found = [Path(path)]
    for one in found:
        found += [base for base in bases_of(one) if base.is_file() and base not in found]
    return found


def _tree(path: str | Path) -> ast.Module:
    try:
        return ast.parse(_text(path) if Path(path).suffix == '.py' else '')
    except (SyntaxError, ValueError):
        # mmengine gives the reason
        return ast.Module([], [])


def _targets(node: ast.Assign) -> set[str]:
    return {one.id for one in node.targets if isinstance(one, ast.Name)}


def unread_names(path: str | Path) -> set[str]:
    """Get the names that a config sets at its top level and does not read itself."""
    return _set_names(path) - _read_names(path)


def _set_names(path: str | Path) -> set[str]:
    if Path(path).suffix != '.py':
        return set(_content(path)) - {'_base_'}
    return {node.id for node in _names(path) if isinstance(node.ctx, ast.Store)} - {'_base_'}


def _read_names(path: str | Path) -> set[str]:
    return {node.id for node in _names(path) if isinstance(node.ctx, ast.Load)}


def _names(path: str | Path) -> list[ast.Name]:
    return [node for node in ast.walk(_tree(path)) if isinstance(node, ast.Name)]


IDLE = (
    "'{}' is a variable of a config, from which settings were made: to change it afterwards sets "
    'nothing; set what was made of it, such as train_dataloader.dataset.pipeline.'
)


# Settings of MMDetection 2 at the top level, and those that took their place.
OLD_NAMES = {
    'checkpoint_config': 'default_hooks.checkpoint',
    'cudnn_benchmark': 'env_cfg.cudnn_benchmark',
    'data': 'train_dataloader, val_dataloader and test_dataloader',
    'deterministic': 'randomness.deterministic',
    'dist_params': 'env_cfg.dist_cfg',
    'evaluation': 'val_evaluator and train_cfg.val_interval',
    'fp16': "optim_wrapper.type='AmpOptimWrapper'",
    'gpu_ids': 'tools/misc/launch.py with the number of processes',
    'img_norm_cfg': 'model.data_preprocessor.mean and std',
    'log_config': 'default_hooks.logger and visualizer.vis_backends',
    'lr_config': 'param_scheduler, or train_cfg.phases where there are phases,',
    'momentum_config': 'param_scheduler',
    'mp_start_method': 'env_cfg.mp_cfg.mp_start_method',
    'opencv_num_threads': 'env_cfg.mp_cfg.opencv_num_threads',
    'optimizer': 'optim_wrapper.optimizer',
    'optimizer_config': 'optim_wrapper.clip_grad',
    'resume_from': 'load_from with resume=True',
    'runner': 'train_cfg',
    'samples_per_gpu': 'train_dataloader.batch_size',
    'seed': 'randomness.seed',
    'total_epochs': 'train_cfg',
    'total_iters': 'train_cfg',
    'workers_per_gpu': 'train_dataloader.num_workers',
    'workflow': 'train_cfg.val_interval',
}


def _refuse_old(path: Path, name: str) -> None:
    text = f"{path}: nothing reads '{name}', which is of MMDetection 2: set {OLD_NAMES[name]}"
    assigned = {node.id for node in _names(path) if isinstance(node.ctx, ast.Store)}
    # one that was written by a run holds the variables too from which its settings were made
    if '_base_' in assigned or re.split(r'\W', OLD_NAMES[name])[0] not in assigned:
        raise UserError(f'{text} instead.')
    print_log(f'{text} instead, if that is not done.', logger='current', level=WARNING)


def _misspelt(name: str, variables: set[str]) -> str | None:
    """Find the setting, or variable of a base, that a name is most likely meant to be."""
    known = top_level_names() | (variables if name[0] != '_' else set())
    letters = {''.join(sorted(one)): one for one in known}
    return nearest_name(name, known, 0.9) or letters.get(''.join(sorted(name)))


def _holds(node: Any, name: str, old: Any) -> bool:
    """Whether a part of a config still has a text or list of a base as this setting."""
    if isinstance(node, list | tuple):
        return any(_holds(one, name, old) for one in node)
    return isinstance(node, dict) and any(
        (key == name and isinstance(old, str | list | tuple) and value == old)
        or _holds(value, name, old)
        for key, value in node.items()
    )


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
        unread = unread_names(one)
        names = _set_names(one) - top_level_names() | (unread & {'proposal_root'})
        bases = [base for base in bases_of(one) if base.is_file()] if names else []
        inherited = [read_file(base) for base in bases]
        for name in sorted(names):
            found = [base[name] for base in inherited if name in base]
            near = _misspelt(name, {key for base in inherited for key in base})
            if name not in unread:
                # which also has settings of its own made of it
                values[name] += [
                    old for old in found if _holds(read_file(one)._cfg_dict, name, old)
                ]
                continue
            if name in OLD_NAMES:
                _refuse_old(one, name)
            if near and name != near and not found:
                raise UserError(f"{one}: nothing reads '{name}': did you mean '{near}'?")
            fixed = any(name in _read_names(base) for base in chain_of(one)[1:])
            own = read_file(one).get(name) if found and fixed else None
            if isinstance(own, PurePath):
                raise UserError(f"{one}: {name} must be text, not {own!r}: write '{own}'.")
            if own is not None and not isinstance(own, str | list | tuple) and own not in found:
                raise UserError(f'{one}: {IDLE.format(name)}')
            # a number of the same name and value may well mean something else
            values[name] += [one for one in found if isinstance(one, str | list | tuple)]
    return {name: found for name, found in values.items() if found}
