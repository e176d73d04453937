"""Which class or function reads each part of a config, and by which names.

What is known follows from the code: from the signatures of classes and functions, and from the
source of mmengine's functions that read a plain dict.
"""

import inspect
import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from logging import _nameToLevel
from typing import Any, Literal, NamedTuple

from mmengine.optim import DefaultOptimWrapperConstructor, OptimWrapper
from mmengine.registry import Registry
from mmengine.runner import Runner, TestLoop, ValLoop
from mmengine.utils import import_modules_from_strings
from mmengine.utils.dl_utils import set_multi_processing
from torch.nn.utils import clip_grad_norm_, clip_grad_value_
from torch.utils.data import DataLoader

import mmlabelpenet.registry as registry
from mmlabelpenet.engine.cache import DiskCache
from mmlabelpenet.engine.loops import Phase
from mmlabelpenet.models import (
    LabelPEnet,
    LevelFusion,
    RoIFeatures,
    SegmentationStage,
    SemanticAttention,
    WeakBoxHead,
    WeakMaskHead,
)
from mmlabelpenet.models.calibration import merge_validated
from mmlabelpenet.models.heads import MaskResults, MaskSupervision
from mmlabelpenet.models.task_modules import MINERS, mine_pseudo_instances, select_detections

from .hints import hint_of
from .values import wrong_value

LOADERS = ('train', 'val', 'test', 'corloc')
_DICTS: tuple[str, ...] = ('auto_scale_lr', 'env_cfg', 'model', 'optim_wrapper')
_DICTS += ('randomness', 'train_cfg', 'val_cfg', 'test_cfg')
_DICTS += tuple(f'{name}_dataloader' for name in LOADERS)
# Types of top-level settings that this package reads beside mmengine's, or knows better.
OWN_SETTINGS: dict[str, Any] = {
    'classes_from_data': bool,
    'corloc_evaluator': dict | list,
    'custom_imports': dict,
    'proposal_root': str,
    'runner_type': str,
    'shared_settings': dict,
    'tta_model': dict,
    'tta_pipeline': list,
    # whose annotations are missing or wrong
    'compile': bool | dict,
    'default_hooks': dict[str, dict | None],
    'find_unused_parameters': bool,
    'log_level': Literal[tuple(_nameToLevel)] | int,
    'work_dir': str | None,
    **dict.fromkeys(_DICTS, dict),
}
# The registry of the dicts below a key.
REGISTRIES: dict[str, Registry] = {
    **dict.fromkeys(('model', 'tta_model', 'data_preprocessor'), registry.MODELS),
    **dict.fromkeys(('dataset', 'datasets'), registry.DATASETS),
    **dict.fromkeys(('pipeline', 'transforms', 'tta_pipeline'), registry.TRANSFORMS),
    **dict.fromkeys(('sampler', 'batch_sampler'), registry.DATA_SAMPLERS),
    **dict.fromkeys(('train_cfg', 'val_cfg', 'test_cfg'), registry.LOOPS),
    **dict.fromkeys(('default_hooks', 'custom_hooks'), registry.HOOKS),
    'collate_fn': registry.FUNCTIONS,
    'fc_init_cfg': registry.WEIGHT_INITIALIZERS,
    'init_cfg': registry.WEIGHT_INITIALIZERS,
    'log_processor': registry.LOG_PROCESSORS,
    'metrics': registry.METRICS,
    'optim_wrapper': registry.OPTIM_WRAPPERS,
    'optimizer': registry.OPTIMIZERS,
    'param_scheduler': registry.PARAM_SCHEDULERS,
    'vis_backends': registry.VISBACKENDS,
    'visualizer': registry.VISUALIZERS,
}
# Dicts whose `type` is no name of a registry.
FOREIGN_TYPES = ('clip_grad', 'dcn', 'model_wrapper_cfg', 'nms', 'plugins', 'roi_layer')
# Given by the code that builds a part, not by the config.
GIVEN = (
    'self',
    'num_classes',
    'runner',
    'dataloader',
    'evaluator',
    'params',
    'module',
    'name',
    'teacher',
)


class Names(NamedTuple):
    """The keys that a part of a config may have.

    Attributes:
        known: The names.
        open: Whether further ones may be read.
        required: Those that it must have.
        hints: Types of values by name.
        free: Those whose default value is out of the usual range of their name.
    """

    known: frozenset[str]
    open: bool = False
    required: frozenset[str] = frozenset()
    hints: Mapping[str, Any] = {}
    free: frozenset[str] = frozenset()


def keys_read(*functions: Callable) -> frozenset[str]:
    """Find the keys of plain dicts that functions read, in their source."""
    source = ''.join(inspect.getsource(function) for function in functions)
    return frozenset(re.findall(r"(?:\.get\(|\.pop\(|\[)\s*'(\w+)'", source))


def _constructors(reader: Callable) -> Iterator[Callable]:
    """List the functions that take a reader's arguments, each one those that the last left."""
    if not inspect.isclass(reader):
        yield reader
        return
    for base in reader.__mro__[:-1]:
        if '__init__' in vars(base):
            yield vars(base)['__init__']


_PASSING_ON = (registry.SCOPE, 'mmdet', 'mmcv', 'mmengine', 'torch')


@cache
def names_of(reader: Callable) -> Names:
    """Get the keys that a class or function reads: its arguments.

    An argument ``**kwargs`` stands for those of the next base class.

    Args:
        reader: A class or a function.
    """
    found: dict[str, inspect.Parameter] = {}
    hints: dict[str, Any] = {}
    more = True
    for function in _constructors(reader):
        try:
            parameters = inspect.signature(function).parameters
        except (TypeError, ValueError):
            return Names(frozenset(), open=True)
        own = function.__module__.startswith(registry.SCOPE)
        for name, one in parameters.items():
            found.setdefault(name, one)
            hints.setdefault(name, one.annotation if own else hint_of(function, one))
        more = any(one.kind == one.VAR_KEYWORD for one in parameters.values())
        # a stranger's class may read its further arguments itself
        if not more or function.__module__.partition('.')[0] not in _PASSING_ON:
            break
    variable = (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)
    named = {n: one for n, one in found.items() if one.kind not in variable and n != 'self'}
    required = {n for n, one in named.items() if one.default is one.empty and n not in GIVEN}
    required = required if reader.__module__.startswith(registry.SCOPE) else set()
    free = {n for n, one in named.items() if wrong_value(n, one.default) is not None}
    return Names(frozenset(named), more, frozenset(required), hints, frozenset(free))


def _mining(node: Mapping) -> Names:
    method = MINERS.get(node.get('method', 'peaks'), mine_pseudo_instances)
    names = _without(names_of(method), *_TENSORS, more=('method',))
    known: Any = Literal[tuple(MINERS)]
    return names._replace(hints={**names.hints, 'method': known})


_TENSORS = ('bboxes', 'scores', 'tags', 'pseudo', 'found')


def _without(names: Names, *given: str, more: tuple[str, ...] = ()) -> Names:
    """Names without those that the code gives."""
    return names._replace(
        known=names.known.difference(given) | frozenset(more),
        required=names.required.difference(given),
    )


def names_without_type(key: str, node: Mapping, parent: type | None) -> Names | None:
    """Get the keys of a dict without ``type``: they follow from where it is.

    Args:
        key: Its key.
        node: The dict.
        parent: Class that is built from the dict around it; None at the top level.

    Returns:
        The names; None if nothing is known of such a dict.
    """
    if parent is None:
        return _TOP_LEVEL.get(key)
    if key in _OF_OPTIMISERS:
        return _OF_OPTIMISERS[key]
    if not parent.__module__.startswith(_READING):
        return _clipping(key, node)
    if key == 'mining':
        plain = parent is SegmentationStage
        return _without(names_of(mine_pseudo_instances), *_TENSORS) if plain else _mining(node)
    if key == 'test_cfg' and parent is LabelPEnet:
        return Names(frozenset({'stage'}))
    reader = _READERS.get(key)
    return None if reader is None else _without(names_of(reader), *_TENSORS, 'num_classes')


def _clipping(key: str, node: Mapping) -> Names | None:
    if key != 'clip_grad':
        return None
    function = clip_grad_value_ if node.get('type') == 'value' else clip_grad_norm_
    return _without(names_of(function), 'parameters', more=('type',))


# Modules whose classes pass on dicts without a type.
_READING = (f'{registry.SCOPE}.models', f'{registry.SCOPE}.engine.loops')
# Other constructors read other names too.
_SCALED = keys_read(DefaultOptimWrapperConstructor)
_SCALES = {one: float for one in _SCALED if 'mult' in one} | {'bypass_duplicate': bool}
_FACTORS = dict.fromkeys(('lr_mult', 'decay_mult'), float)
_OF_OPTIMISERS = {
    'paramwise_cfg': Names(_SCALED, True, hints=_SCALES),
    'custom_key': Names(frozenset({'lr_mult', 'decay_mult'}), hints=_FACTORS),
}
_READERS: dict[str, Callable] = {
    'box_head': WeakBoxHead,
    'feature_cache': DiskCache,
    'fusion': LevelFusion,
    'mask_head': WeakMaskHead,
    'mask_results': MaskResults,
    'mask_supervision': MaskSupervision,
    'merging': merge_validated,
    'phase': Phase,
    'roi_features': RoIFeatures,
    'semantic': SemanticAttention,
    'test_cfg': select_detections,
}
_LOADER = _without(names_of(DataLoader), more=('num_batch_per_epoch',))
_SCALING = {'enable': bool, 'base_batch_size': int}
_ENVIRONMENT = {'cudnn_benchmark': bool, 'dist_cfg': dict, 'mp_cfg': dict, 'resource_limit': int}
_RANDOM = names_of(Runner.set_randomness)
_TOP_LEVEL: dict[str, Names] = {
    'auto_scale_lr': Names(frozenset({'enable', 'base_batch_size'}), hints=_SCALING),
    'env_cfg': Names(keys_read(Runner.setup_env), hints=_ENVIRONMENT),
    'mp_cfg': _without(names_of(set_multi_processing), 'distributed'),
    'optim_wrapper': names_of(OptimWrapper),
    'randomness': _RANDOM._replace(hints={**_RANDOM.hints, 'seed': int | None}),
    'custom_imports': names_of(import_modules_from_strings),
    'val_cfg': names_of(ValLoop),
    'test_cfg': names_of(TestLoop),
    **{f'{name}_dataloader': _LOADER for name in LOADERS},
}
# Taken out of a dict with `type` before its class is built.
EXTRAS: dict[str, frozenset[str]] = {
    'hook': frozenset({'priority'}),
    'parameter scheduler': frozenset({'convert_to_iter_based'}),
    'optim_wrapper': frozenset({'optimizer', 'constructor', 'paramwise_cfg', 'clip_grad'}),
    'visualizer': frozenset({'name'}),
}


@cache
def top_level_names() -> frozenset[str]:
    """Get the names at the top level of a config that mmengine or this package read."""
    read = re.findall(r"\bcfg\.get\(\s*'(\w+)'", inspect.getsource(Runner))
    return (names_of(Runner).known | frozenset(read) | frozenset(OWN_SETTINGS)) - {'cfg', 'type'}


@cache
def top_level_hints() -> dict[str, Any]:
    """Get the types of settings at the top level; each may be None too."""
    return {**names_of(Runner).hints, **OWN_SETTINGS}


def find_type(name: Any, first: Registry | None, scope: str = registry.SCOPE) -> Any:
    """Find the class or function that a ``type`` names, in any registry.

    Args:
        name: The value of ``type``.
        first: Registry to look into first.
        scope: The config's default scope: ``'mmdet'`` leaves this package's classes out.

    Returns:
        The class or function; None if nothing is registered under the name.
    """
    if not isinstance(name, str):
        return name
    for one in (first, *all_registries()):
        while one is not None and one.scope not in (scope, 'mmengine'):
            one = one.parent
        try:
            found = None if one is None else one.get(name)
        except Exception:
            # mmengine raises errors of many types for names that it cannot import
            continue
        if found is not None:
            return found
    return None


@cache
def all_registries() -> tuple[Registry, ...]:
    """List the registries of this package's scope."""
    return tuple(one for one in vars(registry).values() if isinstance(one, Registry))


def registered_names(*registries: Registry) -> set[str]:
    """List the names in registries and in those that they fall back to."""
    names: set[str] = set()
    for one in registries:
        node: Registry | None = one
        while node is not None:
            names |= set(node.module_dict)
            node = node.parent
    return names
