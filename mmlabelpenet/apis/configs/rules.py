"""Rules that concern several settings of a config at once."""

from collections.abc import Iterable, Iterator, Mapping
from types import NoneType
from typing import Any

import mmdet.datasets.transforms as theirs
from mmcv.transforms import CenterCrop, RandomChoiceResize, RandomFlip, RandomResize, Resize
from mmcv.transforms import LoadImageFromFile as MMCVLoadImage
from mmdet.datasets.transforms import PackDetInputs, ProposalBroadcaster
from mmdet.models import DetDataPreprocessor
from mmengine.config import Config
from mmengine.optim.scheduler.lr_scheduler import LRSchedulerMixin

from mmlabelpenet.datasets.transforms import LoadImageFromFile, LoadRegionProposals
from mmlabelpenet.engine.loops import CurriculumTrainLoop, build_phases
from mmlabelpenet.models import LABELS, STAGES, LabelPEnet
from mmlabelpenet.registry import LOOPS, MODELS, PARAM_SCHEDULERS, TRANSFORMS
from mmlabelpenet.utils import UserError, advise_name

from .parts import LOADERS, find_type


def check_rules(cfg: Config, runs_model: bool = True) -> None:
    """Check what holds between the settings of a whole config.

    Args:
        cfg: The config.
        runs_model: Whether the data sets must have all that the model needs.

    Raises:
        UserError: If a rule is broken.
    """
    model = cfg.get('model') or {}
    is_cascade = _is_a(model, MODELS, LabelPEnet)
    for name in LOADERS:
        loader = cfg.get(f'{name}_dataloader')
        if isinstance(loader, dict):
            proposes = name != 'train' and model.get('proposals') is not None
            _check_loader(f'{name}_dataloader', loader, is_cascade and runs_model, proposes)
    if is_cascade:
        _check_stages(model)
        _check_levels('model', model)
        _check_preprocessor(model.get('data_preprocessor') or {})
    train_cfg = cfg.get('train_cfg')
    if isinstance(train_cfg, dict) and _is_a(train_cfg, LOOPS, CurriculumTrainLoop):
        _check_phases(train_cfg, model if is_cascade else None)
        _check_schedulers(cfg.get('param_scheduler') or [])


def _is_a(node: Mapping, registry: Any, kind: type | tuple[type, ...]) -> bool:
    found = find_type(node.get('type'), registry)
    return isinstance(found, type) and issubclass(found, kind)


def stage_names(model: Mapping) -> list[str]:
    """List the stages of a cascade's config that are not left out, in their order."""
    cascade = model.get('cascade') or {}
    return [name for name in model.get('order', STAGES) if cascade.get(name) is not None]


def _check_levels(path: str, node: Any) -> None:
    """Require that chosen levels are among those whose strides or channels stand beside them."""
    if not isinstance(node, dict):
        return
    given: Any = node.get('strides') or node.get('in_channels')
    levels = node.get('levels')
    known = range(-len(given), len(given)) if isinstance(given, list | tuple) else ()
    if known and isinstance(levels, list | tuple) and not set(levels) <= set(known):
        raise UserError(
            f'{path}.levels is {list(levels)}, but there are {len(given)} levels, counted from 0: '
            f'choose some of {list(range(len(given)))}.'
        )
    for name, one in node.items():
        _check_levels(f'{path}.{name}', one)


def _check_preprocessor(preprocessor: Mapping) -> None:
    kind = preprocessor.get('type', 'DetDataPreprocessor')
    if find_type(kind, MODELS) is not None and not _is_a(
        preprocessor, MODELS, DetDataPreprocessor
    ):
        raise UserError(
            f"model.data_preprocessor has the type '{kind}', which does not tell a detector the "
            "sizes of its photos: set model.data_preprocessor.type='DetDataPreprocessor'."
        )
    mean, std = preprocessor.get('mean') or (), preprocessor.get('std') or ()
    if std and mean and max(std) < 1 and 0 < max(mean) < 1:
        raise UserError(
            f'model.data_preprocessor has mean={list(mean)} and std={list(std)}, which are for '
            'colours from 0 to 1, but photos are read with colours from 0 to 255: multiply both '
            'by 255.'
        )


def _check_stages(model: Mapping) -> None:
    order, cascade = list(model.get('order', STAGES)), model.get('cascade') or {}
    for name in cascade:
        if name not in order:
            raise UserError(
                f'model.cascade.{name} is no stage of model.order: {advise_name(name, order)}'
            )
    stages = stage_names(model)
    missing = [name for name in order[: len(stages)] if name not in stages]
    if missing or not stages:
        raise UserError(
            f'model.cascade lacks the stage {(missing or order)[0]}, which the later ones need: '
            'configure it, or set all stages after it to None.'
        )
    chosen = (model.get('test_cfg') or {}).get('stage')
    if chosen is not None and chosen not in (*stages, *LABELS):
        raise UserError(
            f"model.test_cfg.stage '{chosen}' is not in the model: "
            f'{advise_name(chosen, [*stages, *LABELS])}'
        )


def _check_phases(train_cfg: Mapping, model: Mapping | None) -> None:
    phases, order = train_cfg.get('phases'), train_cfg.get('order')
    if not isinstance(phases, dict) or not phases:
        raise UserError('train_cfg.phases must be a dict of phases by name.')
    for name, phase in phases.items():
        if not isinstance(phase, dict | NoneType):
            raise UserError(f'train_cfg.phases.{name} must be a dict or None, not {phase!r}.')
        if order is not None and name not in order:
            raise UserError(
                f'train_cfg.phases.{name} is not in train_cfg.order: {advise_name(name, order)}'
            )
    try:
        built = build_phases(phases, order)
    except (TypeError, ValueError) as error:
        raise UserError(f'{error}.') from error
    if model is None:
        return
    known = [*stage_names(model), *(['semantic'] if _has_semantic(model) else [])]
    if model.get('proposals') is not None:
        known.append('proposals')
        if not any('proposals' in phase.stages for phase in built.values()):
            raise UserError(
                "model.proposals learns in no phase: add one with stages=['proposals'] after all "
                'others, or set model.proposals=None.'
            )
    for name, phase in built.items():
        for stage in phase.stages:
            ours = (*STAGES, 'semantic', 'proposals', *model.get('order', ()))
            if stage not in known and stage in ours:
                raise UserError(
                    f"train_cfg.phases.{name}.stages: the model has no stage '{stage}' to train; "
                    f'it has {", ".join(known)}: set train_cfg.phases.{name}=None, or its stages.'
                )
            if stage not in known:
                raise UserError(
                    f"train_cfg.phases.{name}.stages: '{stage}' is no stage: "
                    f'{advise_name(stage, known)}'
                )


def _check_schedulers(schedulers: dict | list) -> None:
    if isinstance(schedulers, dict) and 'type' not in schedulers:
        schedulers = list(schedulers.values())
    for one in _flat([schedulers]):
        if 'type' not in one or _is_a(one, PARAM_SCHEDULERS, LRSchedulerMixin):
            raise UserError(
                f'param_scheduler has {one.get("type", "no type")}, but the phases set the '
                'learning rate: remove it, and set lr_factor, warmup, final_factor or steps of '
                'train_cfg.phases.'
            )


def _has_semantic(model: Mapping) -> bool:
    return (model.get('calibration') or {}).get('semantic') is not None


def _check_loader(path: str, loader: Mapping, for_cascade: bool, proposes: bool) -> None:
    if loader.get('dataset') is None:
        raise UserError(f'{path} lacks dataset: set {path}.dataset.')
    if for_cascade:
        for where, dataset in _plain_datasets(f'{path}.dataset', loader['dataset']):
            pipeline = dataset.get('pipeline') or []
            _check_pipeline(f'{where}.pipeline', pipeline)
            if not proposes and any(one.get('source') == 'learned' for one in _flat(pipeline)):
                raise UserError(
                    f'{where}.pipeline leaves proposals to the model, which makes none here: add '
                    f'{STEPS[1][1]}, or for a test set model.proposals.'
                )


def _plain_datasets(path: str, node: Any) -> Iterator[tuple[str, Mapping]]:
    if isinstance(node, dict):
        inner = [(f'{path}.dataset', node['dataset'])] if 'dataset' in node else []
        inner += [(f'{path}.datasets.{i}', one) for i, one in enumerate(node.get('datasets', []))]
        for where, one in inner:
            yield from _plain_datasets(where, one)
        if not inner:
            yield path, node


# What a cascade needs of each image, in this order: the classes that do it, and the usual one.
STEPS = (
    ((LoadImageFromFile, MMCVLoadImage), "dict(type='LoadImageFromFile')"),
    ((LoadRegionProposals,), "dict(type='LoadRegionProposals', proposal_root=...)"),
    ((PackDetInputs,), "dict(type='PackWeakInputs')"),
)


# Transforms that move pixels, and those that mix photos.
MOVING = (
    *(CenterCrop, RandomChoiceResize, RandomFlip, RandomResize, Resize, theirs.Albu),
    *(theirs.Expand, theirs.FixShapeResize, theirs.MinIoURandomCrop, theirs.RandomAffine),
    *(theirs.RandomCenterCropPad, theirs.RandomCrop, theirs.RandomShift, theirs.Rotate),
    *(theirs.ResizeShortestEdge, theirs.ShearX, theirs.ShearY, theirs.TranslateX),
    theirs.TranslateY,
)
MIXING = (theirs.CachedMixUp, theirs.CopyPaste, theirs.MixUp, theirs.Mosaic)


def _check_pipeline(path: str, pipeline: Iterable) -> None:
    for one in _flat(pipeline, ProposalBroadcaster):
        if _is_a(one, TRANSFORMS, MOVING):
            raise UserError(
                f'{path} has {one["type"]} where it moves the photo but not its proposals: write '
                "it into dict(type='ProposalBroadcaster', transforms=[...])."
            )
    for one in _flat(pipeline):
        if _is_a(one, TRANSFORMS, MIXING):
            raise UserError(
                f'{path} has {one["type"]}, which mixes photos, but neither their proposals nor '
                'their tags: remove it.'
            )
    classes = [find_type(one.get('type'), TRANSFORMS) for one in _flat(pipeline)]
    if not all(isinstance(one, type) for one in classes):
        return
    place = -1
    for kinds, usual in STEPS:
        places = [index for index, one in enumerate(classes) if issubclass(one, kinds)]
        if not places:
            raise UserError(f'{path} lacks a step that the model needs: add {usual}.')
        if places[0] < place:
            raise UserError(f'{path} has {usual} too early: the order is load, propose, pack.')
        place = places[0]


def _flat(pipeline: Any, closed: type | tuple[type, ...] = ()) -> Iterator[Mapping]:
    """List the steps of a pipeline, those within other steps too but for those of a class."""
    for one in pipeline:
        if isinstance(one, dict):
            yield one
            if not _is_a(one, TRANSFORMS, closed):
                yield from _flat(one.get('transforms', []), closed)
        elif isinstance(one, list | tuple):
            yield from _flat(one, closed)
