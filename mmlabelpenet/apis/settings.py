"""Reading configs: overrides, settings that occur in several places, and the data sets."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from mmengine.config import Config

from mmlabelpenet.datasets import require_distinct_names
from mmlabelpenet.registry import DATASETS
from mmlabelpenet.utils import UserError, explain_read_errors, register_all_modules


def read_config(path: str, options: dict | None = None) -> Config:
    """Read a config with its overrides, and apply what follows from them.

    An override of a plain setting of the config such as ``data_root`` also holds wherever data
    sets and transforms have that setting with the same value. The same is true of settings
    that an inheriting config changes, if they are in the config's ``shared_settings``. If a
    config sets ``classes_from_data``, the model gets as many classes as the training data has.

    Args:
        path: The config.
        options: Overrides by dotted key, as ``--cfg-options`` gives them.

    Raises:
        UserError: If the config is missing or cannot be read, or if the classes cannot be read
            from the data.
    """
    require_config(path)
    with explain_read_errors(path, 'a config', 'fix it or the --cfg-options'):
        cfg = Config.fromfile(path)
        _apply(cfg, options or {})
        loaders = [cfg[key] for key in cfg if key.endswith('_dataloader') and cfg[key]]
        require_distinct_names(
            one for loader in loaders for one in plain_datasets(loader['dataset'])
        )
        if cfg.get('classes_from_data'):
            cfg.model.num_classes = len(classes_of(cfg.train_dataloader.dataset))
        return cfg


def require_config(path: str | Path) -> None:
    """Make sure that there is a config.

    Args:
        path: The config.

    Raises:
        UserError: If there is none.
    """
    if not Path(path).is_file():
        raise UserError(f'There is no config {path}; see configs/ for those there are.')


def _apply(cfg: Config, options: dict) -> None:
    """Override settings, and set the new values wherever the old ones occur."""
    before = {key: cfg[key] for key in options if isinstance(cfg.get(key), str)}
    before |= cfg.get('shared_settings', {})
    cfg.merge_from_dict(options)
    changes = {key: (old, cfg[key]) for key, old in before.items() if cfg[key] != old}
    _replace(cfg._cfg_dict, changes)
    if 'shared_settings' in cfg:
        cfg.shared_settings.update({key: new for key, (_, new) in changes.items()})


def _replace(node: Any, changes: dict) -> None:
    """Set the new value wherever a dict has a setting with its old value."""
    if isinstance(node, list | tuple):
        for item in node:
            _replace(item, changes)
    elif isinstance(node, dict):
        for key, value in node.items():
            if key in changes and value == changes[key][0]:
                node[key] = changes[key][1]
            else:
                _replace(value, changes)


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
    datasets = _build_datasets(cfg, lazy_init=True)
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
