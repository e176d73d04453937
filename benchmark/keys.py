"""Keys of trainings and measurements: equal where code, options and data are equal."""

import ast
import hashlib
import json
import re
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from functools import cache, reduce
from importlib.util import find_spec, resolve_name
from itertools import chain
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.registry import Registry

from mmlabelpenet import registry
from mmlabelpenet.engine.loops import Phase, build_phases
from mmlabelpenet.registry import DATASETS
from mmlabelpenet.utils import register_all_modules

# Images to train on are searched at a smaller size: each epoch reads all of their proposals.
PROPOSAL_SIDES = {'train': 333, 'val': 500}
# Definitions, and methods of classes, that change no result of a training: keeping maps on disk
# (FeatureCache rounds them, and counts), and prediction.
NOT_TRAINING = (
    'DiskCache',
    'require_cacheable_transforms',
    'LabelPEnet.predict',
    'LabelPEnet.read',
    'LabelPEnet.read_evidence',
    'LabelPEnet.explain',
    'Cascade.read',
    'Cascade.infer',
)
# Definitions that change no figure of a test: its tables.
NOT_TESTING = ('ClassTable',)
# Settings of data loaders that change no result. Data are identified by content, not by place.
IDLE = ('num_workers', 'persistent_workers', 'pin_memory')
PLACES = (
    'data_root',
    'ann_file',
    'tag_file',
    'class_file',
    'data_prefix',
    'dataset_name',
    'skip',
)
# Options of the model that some trainings do not read: for each condition on the model's config
# and the phases the paths of the options.
NOT_READ: tuple[tuple[Callable[[dict, Sequence[Phase]], bool], tuple[str, ...]], ...] = (
    (
        # The classifier does not depend on what is made of its scores.
        lambda model, phases: all(phase.stages == ('classification',) for phase in phases),
        (
            'calibration',
            'cascade.classification.score_proposals',
            'cascade.classification.energy_threshold',
        ),
    ),
    (
        # Forward and full calibration differ in backward steps alone.
        lambda model, phases: (
            model['calibration'].get('mode') in ('forward', 'full')
            and not any(phase.alternate for phase in phases)
        ),
        ('calibration.mode', 'calibration.validation', 'calibration.merging'),
    ),
    (
        # Before stage 4 learns, its supervision does not matter.
        lambda model, phases: not any('segmentation' in phase.stages for phase in phases),
        ('cascade.refinement.propagate_refined_masks', 'cascade.segmentation.mask_supervision'),
    ),
)


def digest(value: Any) -> str:
    """Digest of a value that JSON can hold."""
    text = json.dumps(value, sort_keys=True, default=str)
    return hashlib.blake2b(text.encode(), digest_size=6).hexdigest()


def without(value: Any, names: Iterable[str]) -> Any:
    """A copy of nested dicts and lists without some of the keys."""
    if isinstance(value, dict):
        return {key: without(one, names) for key, one in value.items() if key not in names}
    return [without(one, names) for one in value] if isinstance(value, list | tuple) else value


def executed_code(
    settings: Any, left_out: Iterable[str] = (), roots: Iterable[tuple[str, str]] = ()
) -> list[tuple[str, str]]:
    """The code that a part of a config executes.

    It is a set of definitions of the package: functions, classes, methods, and constants of
    modules. It holds the classes that ``settings`` names by their registered types, and whatever
    these mention: by a name of their module, through any imports, or by the registered name of a
    class. The modules that hold the definitions, their order and their imports do not count, and
    neither do comments, docstrings, annotations, and the messages of exceptions.

    Args:
        settings: Nested dicts and lists.
        left_out: Names of definitions, ``'Class.method'`` for methods, that are not followed.
        roots: Further definitions, (module, name).

    Returns:
        Name and text of each definition, sorted.
    """
    known = registered()
    named = re.findall(r'\w+', json.dumps(settings, default=str))
    pending = [*roots, *(known[name] for name in named if name in known)]
    seen, found = set(), set()
    while pending:
        module, name = pending.pop()
        if (module, name) in seen or name in left_out:
            continue
        seen.add((module, name))
        for bound in _definitions(module).get(name, ()):
            if isinstance(bound, tuple):
                pending.append(bound)
                continue
            found.add((name, bound))
            for word in re.findall(r'\w+', bound):
                pending += [(module, word), known.get(word, (module, word))]
    return sorted(found)


@cache
def registered() -> dict[str, tuple[str, str]]:
    """Module and name of each registered class of the package, by its registered name."""
    register_all_modules(init_default_scope=False)
    return {
        name: (one.__module__, one.__name__)
        for registry_ in vars(registry).values()
        if isinstance(registry_, Registry)
        for name, one in registry_.module_dict.items()
    }


@cache
def _definitions(module: str) -> dict[str, list[str | tuple[str, str]]]:
    """For each name of a module the texts that define it, or (module, name) where they are."""
    spec = find_spec(module)
    tree = ast.parse(Path(spec.origin).read_text())
    found = defaultdict(list)
    for node in ast.walk(tree):
        _strip(node)
        if isinstance(node, ast.ImportFrom):
            source = resolve_name('.' * node.level + (node.module or ''), spec.parent)
            if source.split('.')[0] == module.split('.')[0] and source != registry.__name__:
                for one in node.names:
                    found[one.asname or one.name].append((source, one.name))
    for statement in tree.body:
        nodes = [node for node in ast.walk(statement) if isinstance(node, ast.Name)]
        names = [node.id for node in nodes if isinstance(node.ctx, ast.Store)]
        if isinstance(statement, ast.ClassDef | ast.FunctionDef):
            names = [statement.name]
        if isinstance(statement, ast.ClassDef):
            for method in [one for one in statement.body if isinstance(one, ast.FunctionDef)]:
                statement.body.remove(method)
                name = f'{statement.name}.{method.name}'
                found[statement.name].append((module, name))
                found[name].append(ast.unparse(method))
        for name in names:
            found[name].append(ast.unparse(statement))
    return found


def _strip(node: ast.AST) -> None:
    """Remove from a node what does not change results."""
    if isinstance(node, ast.ClassDef | ast.FunctionDef):
        node.body = node.body[ast.get_docstring(node) is not None :]
        node.decorator_list = [
            one for one in node.decorator_list if '.register_module(' not in ast.unparse(one)
        ]
    if isinstance(node, ast.FunctionDef):
        node.returns = None
    elif isinstance(node, ast.arg | ast.AnnAssign):
        node.annotation = ast.Constant(None)
    elif isinstance(node, ast.Raise):
        node.exc = node.cause = None


def data_digest(dataset: Mapping) -> str:
    """Digest of the data that a data set reads, wherever they lie.

    These are, image by image, all that the data set knows of it (its name, tags, boxes, polygons),
    the size of its file, and the content of its masks' files.

    Args:
        dataset: Config of the data set.
    """
    return _data_digest(json.dumps(without(dataset, ('pipeline',))))


@cache
def _data_digest(dataset: str) -> str:
    data = DATASETS.build(json.loads(dataset))
    return digest([_contents(data.get_data_info(index)) for index in range(len(data))])


def _contents(info: dict) -> dict:
    """All that a data set knows of an image, with contents in place of paths."""
    paths = {key: Path(path) for key, path in info.items() if key.endswith('_path')}
    image = paths.pop('img_path')
    masks = {key: (path.name, zlib.crc32(path.read_bytes())) for key, path in paths.items()}
    return {**without(info, PLACES), **masks, 'img_path': (image.name, image.stat().st_size)}


def phases_of(cfg: Config) -> dict[str, Phase]:
    """Phases of a config in the order in which they run."""
    return build_phases(cfg.train_cfg.phases, cfg.train_cfg.get('order'))


def training_key(cfg: Config, num_phases: int, processes: int) -> str:
    """Key of the weights after the first phases of a config.

    Args:
        cfg: The whole config.
        num_phases: Phases that count.
        processes: Of the training; its batches are so many times as large.
    """
    phases = dict(list(phases_of(cfg).items())[:num_phases])
    model = without(cfg.model.to_dict(), ('test_cfg',))
    dropped = [names for unread, names in NOT_READ if unread(model, list(phases.values()))]
    for *parents, name in (path.split('.') for path in chain(*dropped)):
        reduce(lambda part, parent: part.get(parent) or {}, parents, model).pop(name, None)
    settings = dict(
        model=model,
        loader=without(cfg.train_dataloader.to_dict(), IDLE + PLACES),
        optimiser=cfg.optim_wrapper.to_dict(),
        statistics=cfg.default_hooks.get('feature_statistics'),
        loop=cfg.train_cfg.type,
    )
    maker = ('mmlabelpenet.proposals', 'make_proposals')
    return digest(
        dict(
            settings,
            code=executed_code(settings, NOT_TRAINING, [maker]),
            data=data_digest(cfg.train_dataloader.dataset),
            phases=[(name, asdict(phase)) for name, phase in phases.items()],
            cached=cfg.train_cfg.get('feature_cache') is not None,
            proposals=PROPOSAL_SIDES,
            processes=processes,
        )
    )
