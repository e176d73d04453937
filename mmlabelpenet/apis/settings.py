"""Settings of a config that stand in several places, and what follows from its data."""

from collections.abc import Sequence
from typing import Any

from mmengine.config import Config

from mmlabelpenet.utils import UserError


def read_config(path: str, options: dict | None = None) -> Config:
    """Read a config as every command does: with overrides, and with what follows from them.

    An override of a plain setting of the config such as ``data_root`` also holds wherever data
    sets and transforms have that setting with the same value. The same is true of settings
    that an inheriting config changes, if they are in the config's ``shared_settings``. Where a
    config says ``classes_from_data``, the model gets as many classes as the training data has.

    Args:
        path: The config.
        options: Overrides by dotted key, as ``--cfg-options`` gives them.

    Raises:
        UserError: If the classes cannot be had from the data.
        Exception: Whatever a config, which is a program, may raise.
    """
    cfg = Config.fromfile(path)
    options = options or {}
    before = {key: cfg[key] for key in options if isinstance(cfg.get(key), str)}
    before |= cfg.get('shared_settings', {})
    cfg.merge_from_dict(options)
    changes = {key: (old, cfg[key]) for key, old in before.items() if cfg[key] != old}
    _spread(cfg._cfg_dict, changes)
    if 'shared_settings' in cfg:
        cfg.shared_settings.update({key: new for key, (_, new) in changes.items()})
    if cfg.get('classes_from_data'):
        cfg.model.num_classes = len(classes_of(cfg.train_dataloader.dataset))
    return cfg


def _spread(node: Any, changes: dict) -> None:
    """Set the new value wherever a dict has a setting with its old value."""
    if isinstance(node, list | tuple):
        for item in node:
            _spread(item, changes)
    elif isinstance(node, dict):
        for key, value in node.items():
            if key in changes and value == changes[key][0]:
                node[key] = changes[key][1]
            else:
                _spread(value, changes)


def plain_datasets(cfg: dict) -> list[dict]:
    """Get the innermost data sets of a data set's config, wrappers taken off.

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
        What the data sets know of each image, each image once; of two entries the one with boxes.

    Raises:
        UserError: If there is no such loader, or a part of the data is missing.
    """
    from mmlabelpenet.registry import DATASETS
    from mmlabelpenet.utils import register_all_modules

    register_all_modules(init_default_scope=False)
    loaders = [cfg.get(f'{split}_dataloader') for split in splits]
    datasets = [one for loader in loaders if loader for one in plain_datasets(loader['dataset'])]
    if not datasets:
        raise UserError(
            f'{cfg.filename} has no dataloader of {", ".join(splits)}: name a config that has one.'
        )
    images: dict[tuple, dict] = {}
    for config in datasets:
        dataset = DATASETS.build({**config, 'pipeline': [], 'serialize_data': False})
        for index in range(len(dataset)):
            info = dataset.get_data_info(index)
            key = (info['dataset_name'], info.get('photo_id', info['img_id']))
            if key not in images or 'instances' in info:
                images[key] = info
    return list(images.values())


def classes_of(dataset: dict) -> tuple[str, ...]:
    """Get the classes of a data set's config, without looking for its images.

    Args:
        dataset: Config of a data set, or of a wrapper.

    Raises:
        UserError: If parts of it differ in their classes, or their file is unreadable.
    """
    # Not at the top: the registry fills only when all of OpenMMLab is imported.
    from mmlabelpenet.registry import DATASETS
    from mmlabelpenet.utils import register_all_modules

    register_all_modules(init_default_scope=False)
    lists = [
        tuple(DATASETS.build({**one, 'lazy_init': True, 'pipeline': []}).metainfo['classes'])
        for one in plain_datasets(dataset)
    ]
    if len(set(lists)) != 1:
        raise UserError(
            'The parts of the training data differ in their classes: name the same classes for '
            'all of them, by metainfo or class_file.'
        )
    return lists[0]
