"""Exporting what a model finds in a whole data set."""

import copy
from collections.abc import Mapping
from pathlib import Path

from mmengine.config import Config
from mmengine.model import is_model_wrapper
from tqdm import tqdm

from mmlabelpenet.export import (
    FORMATS,
    NEEDS_MASKS,
    SEGMENTATIONS,
    image_reader,
    labelled_image,
    write_images,
)
from mmlabelpenet.registry import DATASETS
from mmlabelpenet.utils import UserError, register_all_modules
from mmlabelpenet.version import __version__

from .checkpoint import read_checkpoint, require_same_model
from .pipeline import choose_stage, test_pipeline_of
from .settings import plain_datasets
from .training import build_runner

SPLITS = ('train', 'val', 'test', 'corloc')


def split_loader(cfg: Config, split: str, pipeline: list[dict]) -> dict:
    """A loader of a split's images, each once and in order, by another pipeline.

    Args:
        cfg: Has a dataloader for the split; its data set may be wrapped.
        split: One of ``SPLITS``.
        pipeline: By which the images are loaded.

    Returns:
        Config of the loader.

    Raises:
        UserError: If the config has no such dataloader.
    """
    loader = cfg.get(f'{split}_dataloader')
    if not loader:
        there = [name for name in SPLITS if cfg.get(f'{name}_dataloader')]
        raise UserError(
            f'The config has no {split}_dataloader; --split may be {", ".join(there)}.'
        )
    datasets = []
    for dataset in plain_datasets(loader['dataset']):
        dataset = copy.deepcopy(dataset)
        # also images that training would pass over
        dataset.update(pipeline=pipeline, test_mode=True, filter_cfg=None)
        datasets.append(dataset)
    several = dict(type='ConcatDataset', datasets=datasets)
    return dict(
        batch_size=1,
        num_workers=loader.get('num_workers', 0),
        sampler=dict(type='DefaultSampler', shuffle=False),
        dataset=datasets[0] if len(datasets) == 1 else several,
    )


def export_instances(
    cfg: Config,
    checkpoint: str,
    out: str,
    format: str = 'coco',
    stage: str | None = None,
    split: str = 'train',
    selection: Mapping | None = None,
    segmentation: str = 'rle',
    link: bool = False,
) -> dict[str, float]:
    """Write what a stage finds in all images of a split as labels to learn from.

    Images and tags come from the data set of the config; no truth is loaded.

    Args:
        cfg: The whole config, with ``work_dir`` and ``launcher``; changed in place.
        checkpoint: File of the weights.
        out: Folder to write to.
        format: ``'coco'``, ``'voc'`` or ``'yolo'``.
        stage: Whose instances, see :func:`choose_stage`.
        split: One of ``SPLITS``: whose dataloader names the images.
        selection: Arguments of :class:`~mmlabelpenet.export.Selection`.
        segmentation: ``'rle'`` or ``'polygon'``, for COCO.
        link: Whether to link images in place of copying them, for VOC and YOLO.

    Returns:
        Numbers of ``images`` and ``instances``.

    Raises:
        UserError: If something is unknown, the checkpoint does not exist or does not fit, or a
            part of the data is missing.
    """
    _check(format, segmentation)
    stage = choose_stage(cfg, stage)
    pipeline = test_pipeline_of(cfg)
    cfg.test_dataloader = split_loader(cfg, split, pipeline)
    cfg.test_evaluator = dict(
        type='InstanceExport',
        out=out,
        format=format,
        split=_list_name(split),
        selection=dict(selection or {}),
        segmentation=segmentation,
        link=link,
        loader=pipeline[0],
        info=dict(
            description=f'instances of {Path(checkpoint).name}, stage {stage}',
            generator=f'mmlabelpenet {__version__}',
            selection=dict(selection or {}),
        ),
    )
    cfg.test_cfg = dict(type='TestLoop')
    return _run(cfg, checkpoint, needs_masks=format == 'yolo')


def export_truth(
    cfg: Config,
    out: str,
    format: str = 'coco',
    split: str = 'corloc',
    segmentation: str = 'rle',
    link: bool = False,
) -> dict[str, float]:
    """Write the true instances of a split in the same formats: what pseudo labels stand for.

    Args:
        cfg: The whole config.
        out: Folder to write to.
        format: ``'coco'``, ``'voc'`` or ``'yolo'``.
        split: Whose dataloader names the images; its data set knows their masks.
        segmentation: ``'rle'`` or ``'polygon'``, for COCO.
        link: Whether to link images in place of copying them, for VOC and YOLO.

    Returns:
        Numbers of ``images`` and ``instances``.

    Raises:
        UserError: If something is unknown or an image has no true masks.
    """
    _check(format, segmentation)
    register_all_modules()
    loader = test_pipeline_of(cfg)[0]
    pipeline = [loader, dict(type='LoadInstanceMasks'), dict(type='PackWeakInputs')]
    dataset = DATASETS.build(split_loader(cfg, split, pipeline)['dataset'])
    images = []
    for index in tqdm(range(len(dataset)), desc='true masks', unit='photo'):
        sample = dataset[index]['data_samples'].to_dict()
        if 'gt_mask_instances' not in sample:
            raise UserError(
                f'{sample["img_path"]} has no true masks: choose a --split that knows them, '
                "such as corloc, whose data set has supervision='full'."
            )
        images.append(labelled_image(sample, sample['gt_mask_instances']))
    write_images(
        images,
        tuple(dataset.metainfo['classes']),
        out,
        format,
        image_reader(loader),
        _list_name(split),
        segmentation=segmentation,
        link=link,
        info=dict(description='true instances'),
    )
    return {'photos': len(images), 'instances': sum(map(len, images))}


def _list_name(split: str) -> str:
    """The images of CorLoc are those that are trained on."""
    return 'train' if split == 'corloc' else split


def _check(format: str, segmentation: str) -> None:
    for option, value, known in (
        ('format', format, FORMATS),
        ('segmentation', segmentation, SEGMENTATIONS),
    ):
        if value not in known:
            raise UserError(f"--{option} does not know '{value}'; it knows {', '.join(known)}.")


def _run(cfg: Config, checkpoint: str, needs_masks: bool) -> dict[str, float]:
    weights = read_checkpoint(checkpoint)
    cfg.load_from, cfg.resume = None, False
    runner = build_runner(cfg)
    model = runner.model.module if is_model_wrapper(runner.model) else runner.model
    require_same_model(model, weights, checkpoint)
    # told before all images have been through the model
    if needs_masks and not getattr(model, 'makes_masks', True):
        raise UserError(NEEDS_MASKS)
    runner.load_checkpoint(checkpoint)
    return runner.test()
