"""Config files: reading them with the environment, and plain settings that they set anew."""

import ast
import os
import re
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from logging import WARNING
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.fileio import load
from mmengine.logging import print_log

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
        UserError: If a module that it imports is missing, two bases set the same names, or it ends
            the program.
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
        except (SystemExit, RecursionError) as error:
            fault = 'is its own base' if isinstance(error, RecursionError) else 'ends the program'
            raise UserError(
                f'{path}, or a base of it, {fault}: a config sets values only; change that line.'
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
    if Path(path).suffix != '.py':
        return set(load(path)) - {'_base_'}
    assigned = {node.id for node in _names(path) if isinstance(node.ctx, ast.Store)}
    return assigned - _read_names(path) - {'_base_'}


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
    'log_config': 'default_hooks.logger and visualizer.vis_backends',
    'lr_config': 'param_scheduler',
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
            if name in OLD_NAMES:
                _refuse_old(one, name)
            if near and name != near and not found:
                raise UserError(f"{one}: nothing reads '{name}': did you mean '{near}'?")
            fixed = any(name in _read_names(base) for base in chain_of(one)[1:])
            own = read_file(one).get(name) if found and fixed else None
            if own is not None and not isinstance(own, str | list | tuple) and own not in found:
                raise UserError(f'{one}: {IDLE.format(name)}')
            # a number of the same name and value may well mean something else
            values[name] += [one for one in found if isinstance(one, str | list | tuple)]
    return {name: found for name, found in values.items() if found}
