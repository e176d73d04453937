"""Classes of data sets and checkpoints: they agree by name, not by number."""

from collections.abc import Iterable, Sequence
from logging import INFO, WARNING
from typing import Any

from mmdet.datasets import CocoDataset
from mmengine.config import Config
from mmengine.dataset import BaseDataset
from mmengine.logging import print_log

from mmlabelpenet.datasets import COCOFile, TaggedDataset
from mmlabelpenet.registry import DATASETS
from mmlabelpenet.utils import UserError, nearest_name, register_all_modules

from .configs import common_classes, plain_datasets

Classes = tuple[str, ...]
SHOWN = 5


def checkpoint_classes(checkpoint: dict, path: str) -> Classes | None:
    """Get the classes that a checkpoint was trained with, in the order of its weights.

    Args:
        checkpoint: Its content.
        path: Its file, for messages.

    Returns:
        The names; None, with a warning, if it does not say.

    Raises:
        UserError: If it says something else than different names.
    """
    meta = checkpoint.get('meta') or {}
    places = (meta.get('dataset_meta') or {}, meta)
    # mmdet 2 wrote capitals.
    found = [one[key] for one in places for key in ('classes', 'CLASSES') if one.get(key)]
    if not found:
        print_log(
            f'{path} does not say what its classes are, so they could not be compared with those '
            'of the data.',
            logger='current',
            level=WARNING,
        )
        return None
    names = found[0]
    strings = isinstance(names, list | tuple) and all(isinstance(name, str) for name in names)
    if not strings or len(set(names)) < len(names):
        raise UserError(f'{path} holds no list of different classes: take another checkpoint.')
    return tuple(names)


def class_difference(given: Sequence[str], wanted: Sequence[str]) -> str:
    """Say which classes are missing and which are added, and what they are perhaps called.

    Args:
        given: Names of the classes that there are.
        wanted: Names of the classes that there should be.

    Returns:
        Such as ``it lacks 'dog' (perhaps 'Dog'), it adds 'Dog'``; empty if there is no
        difference but in the order.
    """
    missing = [name for name in wanted if name not in given]
    extra = [name for name in given if name not in wanted]
    texts = []
    for name in missing[:SHOWN]:
        near = nearest_name(name, extra)
        texts.append(f'{name!r} (perhaps {near!r})' if near else repr(name))
    added = [*map(repr, extra[:SHOWN])]
    parts = [
        f'{verb} {", ".join(shown)}' + (f' and {len(names) - SHOWN} more' if names[SHOWN:] else '')
        for verb, shown, names in (('it lacks', texts, missing), ('it adds', added, extra))
        if names
    ]
    return ', '.join(parts)


def unify_tested_classes(cfg: Config, checkpoint: dict, path: str) -> Classes | None:
    """Let the tested data sets number their classes as a checkpoint does.

    Args:
        cfg: The whole config; its data sets are changed in place.
        checkpoint: Content of the checkpoint.
        path: Its file, for messages.

    Returns:
        The classes; None if the checkpoint does not say.

    Raises:
        UserError: If a data set has a class that the checkpoint lacks, or lacks one that its file
            could have.
    """
    classes = checkpoint_classes(checkpoint, path)
    if classes is not None:
        further = (cfg.get('test_cfg') or {}).get('further', ())
        loaders = [cfg.test_dataloader, *(part['dataloader'] for part in further)]
        _adopt_all(_parts(loaders), classes, path, partial=True)
    return classes


def unify_trained_classes(cfg: Config, checkpoint: dict | None = None) -> Classes | None:
    """Let the data sets of a training number their classes alike.

    They are numbered as in the checkpoint that training starts from, if it has the same classes;
    else as in the training data.

    Args:
        cfg: The whole config; its data sets are changed in place.
        checkpoint: Content of ``cfg.load_from``, if there is one.

    Returns:
        The classes; None if the training data only know them from their images.

    Raises:
        UserError: If the data sets have different classes, or a run is resumed with other ones.
    """
    loader = cfg.train_dataloader
    if not all(map(_has_classes, plain_datasets(loader['dataset']))):
        return None
    parts = _parts([loader])
    classes, source = common_classes(dataset for _, dataset in parts), 'the training data'
    trained = checkpoint_classes(checkpoint, cfg.load_from) if checkpoint else None
    if trained is not None:
        difference = class_difference(classes, trained)
        if difference and cfg.get('resume'):
            raise UserError(
                f'The training data has other classes than the run of {cfg.load_from}: '
                f'{difference}; resume with its data, or train anew.'
            )
        if difference:
            print_log(
                f'{cfg.load_from} was trained with other classes than those of the data '
                f'({difference}): weights of classes begin with those of others.',
                logger='current',
                level=WARNING,
            )
        else:
            classes, source = trained, cfg.load_from
    _adopt_all(parts, classes, source)
    others = [cfg.get('val_dataloader') if cfg.get('val_cfg') else None]
    hooks = [*(cfg.get('custom_hooks') or ()), *(cfg.get('default_hooks') or {}).values()]
    if any(_measures(hook) for hook in hooks if isinstance(hook, dict)):
        others.append(cfg.get('corloc_dataloader'))
    _adopt_all(_parts(filter(None, others)), classes, source, partial=True)
    return classes


def _measures(hook: dict) -> bool:
    """Whether a hook reads the ground truth of training images to measure labels."""
    kind = str(hook.get('type'))
    on = kind.endswith('LabelCurveHook') and hook.get('num_images', 0) != 0
    return on or kind.endswith('PseudoLabelHook')


def _has_classes(dataset: dict) -> bool:
    """Whether a data set is of a kind that knows its classes before it reads its images."""
    register_all_modules(init_default_scope=False)
    kind = DATASETS.get(dataset['type'])
    return isinstance(kind, type) and issubclass(kind, BaseDataset)


def _parts(loaders: Iterable[dict]) -> list[tuple[dict, BaseDataset]]:
    """Configs of the innermost data sets that know their classes, each with the data set.

    They are built once, because a JSON file of COCO takes long to read, and without images.
    """
    return [
        (cfg, DATASETS.build({**cfg, 'pipeline': [], 'lazy_init': True}))
        for loader in loaders
        for cfg in plain_datasets(loader['dataset'])
        if _has_classes(cfg)
    ]


def _adopt_all(
    parts: Iterable[tuple[dict, BaseDataset]], classes: Classes, source: str, partial: bool = False
) -> None:
    for cfg, dataset in parts:
        _adopt(cfg, dataset, classes, source, partial)


def _adopt(cfg: dict, dataset: BaseDataset, classes: Classes, source: str, partial: bool) -> None:
    """Set the classes of a data set's config, if they are the same ones by name.

    A test set may have only some of them if its classes are those that its file happens to
    name: objects of the others are then absent from its photos or were not annotated, and in
    both cases the figures of the named classes are the same, and the others have none.
    """
    own = tuple(dataset.metainfo.get('classes') or ())
    _require_numbered_as_said(dataset)
    if own in (classes, ()):
        return
    name = _name_of(cfg)
    known = isinstance(dataset, TaggedDataset) and set(own) <= set(classes)
    absent = [one for one in classes if one not in own]
    metainfo = cfg.get('metainfo') or {}
    by_file = not dataset.METAINFO.get('classes') and 'classes' not in metainfo
    if not known or (absent and not (partial and by_file)):
        raise _error(name, own, classes, source)
    cfg['metainfo'] = {**metainfo, 'classes': classes}
    if 'palette' in metainfo:
        cfg['metainfo']['palette'] = [metainfo['palette'][own.index(one)] for one in classes]
    text = f'The classes of {name} are numbered as in {source}'
    if absent:
        cfg['metainfo']['absent_classes'] = absent
        text += f'; it has no {", ".join(absent)}'
    print_log(f'{text}.', logger='current', level=WARNING if absent else INFO)


def _error(name: str, own: Classes, classes: Classes, source: str) -> UserError:
    difference = class_difference(own, classes)
    if not difference:
        order = ', '.join(classes)
        return UserError(
            f'{name} has the classes of {source} in another order: list them as {order}.'
        )
    return UserError(
        f'{name} has other classes than {source}: {difference}; name them alike, or set '
        "those of the model by the data set's metainfo=dict(classes=[...])."
    )


def _name_of(cfg: dict) -> str:
    """The file of a data set, or its folder or kind, for messages."""
    names = (cfg.get(key) for key in ('ann_file', 'tag_file', 'data_root', 'type'))
    found = next(str(name) for name in names if name)
    return f'{cfg["data_root"]}/{found}' if cfg.get('ann_file') and cfg.get('data_root') else found


def _require_numbered_as_said(dataset: Any) -> None:
    """Require that mmdet's CocoDataset numbers classes as its metainfo says.

    It numbers them in the order of the file's list, whatever the metainfo's order is.
    """
    if not isinstance(dataset, CocoDataset):
        return
    classes = tuple(dataset.metainfo['classes'])
    listed = [one for one in COCOFile(dataset.ann_file).listed if one in classes]
    if tuple(listed) != classes:
        difference = class_difference(listed, classes) or f'its order is {", ".join(listed)}'
        raise UserError(
            f'{dataset.ann_file} has other classes than metainfo says ({difference}): CocoDataset '
            "would mix them up; give metainfo the file's classes in the file's order, or use "
            'COCOInstanceDataset.'
        )


def metainfo_of(cfg: Config, checkpoint: dict) -> dict:
    """Get classes and palette: those of the checkpoint's training data, else of the config's."""
    classes = checkpoint_classes(checkpoint, 'The checkpoint')
    if classes is None:
        dataset = cfg.get('test_dataloader', cfg.get('val_dataloader'))['dataset']
        found = DATASETS.build({**dataset, 'lazy_init': True}).metainfo
        return {name: found[name] for name in ('classes', 'palette') if name in found}
    palette = (checkpoint['meta'].get('dataset_meta') or {}).get('palette')
    return {'classes': classes} if palette is None else {'classes': classes, 'palette': palette}
