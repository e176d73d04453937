"""Reading configs: overrides, settings that occur in several places, and the data sets."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from logging import WARNING
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.dataset import BaseDataset
from mmengine.logging import print_log

from mmlabelpenet.datasets import COCOFile, require_distinct_names
from mmlabelpenet.registry import DATASETS
from mmlabelpenet.utils import UserError, explain_read_errors, register_all_modules
from mmlabelpenet.utils.errors import other_file

from .files import PLAIN, bases_of, earlier_values, read_file, unread_names
from .overrides import apply_options, settings_called
from .parts import top_level_names
from .validation import check_config


def read_config(
    path: str, options: dict | None = None, whole: bool = True, runs_model: bool = True
) -> Config:
    """Read a config with its overrides, check it, and apply what follows from it.

    An override of a text or list at the top level such as ``data_root`` or ``scale`` also holds
    wherever the config has that setting with the same value. The same is true of those that an
    inheriting config sets anew. If a config sets ``classes_from_data``, the model gets as many
    classes as the training data has, of which mmdet's CocoDataset reads the names from its file.

    Args:
        path: The config.
        options: Overrides by dotted key, as ``--cfg-options`` gives them.
        whole: Whether all of it is checked, or its data sets alone, see :func:`check_config`.
        runs_model: Whether the data sets must have all that the model needs.

    Raises:
        UserError: If the config is missing, cannot be read or is wrong, or if the classes cannot
            be read from the data.
    """
    require_config(path)
    with explain_read_errors(path, 'a config', 'fix it or the --cfg-options'):
        cfg = read_file(path)
        earlier = earlier_values(path)
        variables = unread_names(path) - top_level_names() - {*earlier} if bases_of(path) else ()
    for name in sorted({*variables} - {*(cfg.get('shared_settings') or ())}):
        places = settings_called(cfg, name) or [*filter(None, [_PLACES.get(name.lower())])]
        for place in places[:1]:
            print_log(
                f"{path}: nothing reads '{name}' at its top level: set {place} if that is meant.",
                logger='current',
                level=WARNING,
            )
    with naming(path):
        new = apply_options(cfg, options or {}, earlier)
        _settle(cfg)
        check_config(cfg, whole, new, runs_model)
        loaders = [cfg[key] for key in cfg if key.endswith('_dataloader') and cfg[key]]
        require_distinct_names(
            one for loader in loaders for one in plain_datasets(loader['dataset'])
        )
    if cfg.get('classes_from_data') and 'model' in cfg:
        _take_classes(cfg)
    return cfg


def _take_classes(cfg: Config) -> None:
    """Give the model the number of classes of the training data, wherever it has one.

    mmdet's CocoDataset, which would have COCO's classes, gets those of its file.
    """
    dataset = cfg.train_dataloader.dataset
    for one in plain_datasets(dataset):
        if one['type'].rpartition('.')[2] == 'CocoDataset':
            path = Path(one.get('data_root') or '', one['ann_file'])
            one['metainfo'] = dict(classes=tuple(COCOFile(path).listed))
    number = len(classes_of(dataset))
    for place in settings_called(cfg, 'num_classes') or ['model.num_classes']:
        if place.startswith('model.'):
            cfg.merge_from_dict({place: number})


# Where mmdet's configs put what they set by variables of these names.
_DATASET = '{} of the data sets, such as train_dataloader.dataset.{}'
_PLACES = {
    'classes': _DATASET.format('metainfo=dict(classes=[...])', 'metainfo'),
    'max_epochs': 'train_cfg',
    **{name: _DATASET.format(name, name) for name in ('ann_file', 'metainfo', 'tag_file')},
}


@contextmanager
def naming(path: str) -> Iterator[None]:
    """Begin the sentences of errors with the file that they are about."""
    try:
        yield
    except UserError as error:
        raise UserError(f'{path}: {error}') from error


def require_model(cfg: Config) -> None:
    """Make sure that a config has a model.

    Args:
        cfg: The config.

    Raises:
        UserError: If it has none.
    """
    if not isinstance(cfg.get('model'), dict):
        raise UserError(
            f'{cfg.filename} has no model: inherit one of configs/_base_/models, or set model.'
        )


def require_num_classes(cfg: Config, loader: str, classes: Sequence[str] | None) -> None:
    """Make sure that a cascade has as many classes as the data.

    Args:
        cfg: The whole config.
        loader: Name of the data loader.
        classes: Of its data; None to read them.

    Raises:
        UserError: If it has another number, or the classes cannot be read from the data.
    """
    if 'num_classes' not in (cfg.get('model') or {}) or cfg.get('classes_from_data'):
        return
    number = len(classes or classes_of(cfg[loader].dataset))
    if number != cfg.model.num_classes:
        raise UserError(
            f'{cfg.filename}: model.num_classes is {cfg.model.num_classes}, but the data of '
            f'{loader} have {number} classes: set model.num_classes={number}.'
        )


def _settle(cfg: Config) -> None:
    """Give settings that have one meaning the form that torch takes."""
    for name in ('custom_hooks', 'default_hooks', 'env_cfg', 'randomness', 'shared_settings'):
        if name in cfg and cfg[name] is None:
            cfg.pop(name)
    for key, loader in cfg.items():
        if not key.endswith('_dataloader') or not isinstance(loader, dict):
            continue
        if not loader.get('num_workers'):
            # both are about workers, of which there are none
            for name in {'persistent_workers', 'prefetch_factor'} & {*loader}:
                del loader[name]


def require_config(path: str | Path) -> None:
    """Make sure that there is a config.

    Args:
        path: The config.

    Raises:
        UserError: If there is none, or it is a file of another kind.
    """
    if not Path(path).is_file():
        raise UserError(f'There is no config {path}; see configs/ for those there are.')
    if Path(path).suffix not in ('.py', *PLAIN) and not other_file(path):
        raise UserError(
            f'{path} is no config, which ends in {", ".join((".py", *PLAIN))}: name the '
            'config first, then a checkpoint or other files.'
        )


def plain_datasets(cfg: dict) -> list[dict]:
    """Get the innermost data sets of a data set's config, without the wrappers.

    Args:
        cfg: Config of a data set, or of a wrapper such as RepeatDataset or ConcatDataset.
    """
    inner = cfg.get('datasets') or ([cfg['dataset']] if 'dataset' in cfg else [])
    return [plain for part in inner for plain in plain_datasets(part)] if inner else [cfg]


def images_of(cfg: Config, splits: Sequence[str]) -> list[dict]:
    """Get the images of some of a config's data loaders.

    Args:
        cfg: The config.
        splits: Names of loaders, such as ``train`` of ``train_dataloader``.

    Returns:
        Information on each image, each image once; of two entries the one with boxes.

    Raises:
        UserError: If there is no such loader, or a part of the data is missing.
    """
    loaders = [cfg.get(f'{split}_dataloader') for split in splits]
    if not any(loaders):
        raise UserError(
            f'{cfg.filename} has no dataloader of {", ".join(splits)}: name a config that has one.'
        )
    images: dict[tuple, dict] = {}
    for loader in filter(None, loaders):
        for dataset in _build_datasets(loader['dataset'], serialize_data=False):
            for index in range(len(dataset)):
                info = dataset.get_data_info(index)
                key = (info['dataset_name'], info.get('photo_id', info['img_id']))
                if key not in images or 'instances' in info:
                    images[key] = info
    return list(images.values())


def classes_of(cfg: dict) -> tuple[str, ...]:
    """Get the classes of a data set's config, without reading its images.

    Args:
        cfg: Config of a data set, or of a wrapper.

    Returns:
        Their names in the order of its first part.

    Raises:
        UserError: If parts of it differ in their classes, or their file is unreadable.
    """
    return common_classes(_build_datasets(cfg, lazy_init=True))


def common_classes(datasets: Iterable[BaseDataset]) -> tuple[str, ...]:
    """Get the classes of the parts of the training data.

    Args:
        datasets: The parts.

    Returns:
        Their names in the order of the first part.

    Raises:
        UserError: If parts differ in their classes.
    """
    classes, *others = [tuple(dataset.metainfo['classes']) for dataset in datasets]
    if any(set(other) != set(classes) for other in others):
        raise UserError(
            'The parts of the training data differ in their classes: name the same classes for '
            'all of them, by metainfo or class_file.'
        )
    return classes


def _build_datasets(cfg: dict, **options: Any) -> Iterator:
    """Build the innermost data sets of a config one by one, without their pipelines."""
    register_all_modules(init_default_scope=False)
    for dataset in plain_datasets(cfg):
        yield DATASETS.build({**dataset, 'pipeline': [], **options})
