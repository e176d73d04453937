"""Exporting the instances of a whole data set as labels: predicted ones, or the ground truth."""

import argparse
from collections.abc import Mapping
from pathlib import Path

from mmengine.config import Config
from mmengine.dist import is_main_process
from tqdm import tqdm

from mmlabelpenet.export import (
    FORMATS,
    NEEDS_MASKS,
    SEGMENTATIONS,
    InstanceCollector,
    image_reader,
    labelled_image,
    summarise,
    write_images,
)
from mmlabelpenet.registry import DATASETS
from mmlabelpenet.utils import (
    UserError,
    register_all_modules,
    require_writable,
    say,
    unwrap_model,
)
from mmlabelpenet.version import __version__

from .configs import plain_datasets
from .pipeline import choose_proposals, choose_stage, test_pipeline_of
from .testing import load_runner

SPLITS = ('train', 'val', 'test', 'corloc')


def add_export_arguments(parser: argparse.ArgumentParser, split: str) -> None:
    """Add the arguments of an export: where and how it is written, and of which images.

    Args:
        parser: The parser.
        split: Default of ``--split``.
    """
    parser.add_argument('--out', required=True, help='folder to write to')
    parser.add_argument('--format', default='coco', choices=FORMATS)
    parser.add_argument(
        '--split',
        default=split,
        choices=SPLITS,
        help='export the photos of this dataloader (corloc: training photos with ground truth)',
    )
    parser.add_argument(
        '--segmentation', default='rle', choices=SEGMENTATIONS, help='how COCO JSON holds masks'
    )
    parser.add_argument(
        '--link', action='store_true', help='link photos instead of copying them (voc and yolo)'
    )


def split_loader(cfg: Config, split: str, pipeline: list[dict]) -> dict:
    """Make a data loader that reads each image of a split once, in order.

    Args:
        cfg: Has a dataloader for the split; its data set may be wrapped.
        split: One of ``SPLITS``.
        pipeline: Transforms that load the images.

    Returns:
        Config of the loader.

    Raises:
        UserError: If the config has no such dataloader.
    """
    loader = cfg.get(f'{split}_dataloader')
    if not loader:
        known = [name for name in SPLITS if cfg.get(f'{name}_dataloader')]
        raise UserError(
            f'The config has no {split}_dataloader; --split may be {", ".join(known)}.'
        )
    # with the images that training would filter out
    changes = dict(pipeline=pipeline, test_mode=True, filter_cfg=None)
    datasets = [{**one, **changes} for one in plain_datasets(loader['dataset'])]
    concatenated = dict(type='ConcatDataset', datasets=datasets)
    return dict(
        batch_size=1,
        num_workers=loader.get('num_workers', 0),
        sampler=dict(type='DefaultSampler', shuffle=False),
        dataset=datasets[0] if len(datasets) == 1 else concatenated,
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
    proposals: str | None = None,
) -> dict[str, float]:
    """Write the instances that a stage finds in all images of a split as labels to train with.

    Images and tags come from the data set of the config; no ground truth is loaded.

    Args:
        cfg: The whole config, with ``work_dir`` and ``launcher``; changed in place.
        checkpoint: File of the weights.
        out: Folder to write to.
        format: ``'coco'``, ``'voc'`` or ``'yolo'``.
        stage: The stage, see :func:`choose_stage`.
        split: One of ``SPLITS``: the dataloader that lists the images.
        selection: Arguments of :class:`~mmlabelpenet.export.Selection`.
        segmentation: ``'rle'`` or ``'polygon'``, for COCO.
        link: Whether to link images instead of copying them, for VOC and YOLO.
        proposals: Where proposals come from, see :func:`choose_proposals`.

    Returns:
        The numbers of images (``photos``) and ``instances``.

    Raises:
        UserError: If an argument is unknown, the checkpoint does not exist or does not fit, or a
            part of the data is missing.
    """
    _check_known(format, segmentation)
    require_writable(out, folder=True)
    stage = choose_stage(cfg, stage)
    choose_proposals(cfg, proposals)
    pipeline = test_pipeline_of(cfg)
    selection = dict(selection or {})
    cfg.test_dataloader = split_loader(cfg, split, pipeline)
    cfg.test_evaluator = dict(type='InstanceCollector', selection=selection)
    collector, figures = _collect(cfg, checkpoint, needs_masks=format == 'yolo')
    if is_main_process():
        info = dict(
            description=f'instances of {Path(checkpoint).name}, stage {stage}',
            generator=f'mmlabelpenet {__version__}',
            selection=selection,
        )
        images, read, name = collector.images, image_reader(pipeline[0]), _list_name(split)
        path = write_images(
            images, collector.classes, out, format, read, name, segmentation, link, info
        )
        empty = sum(len(one) == 0 for one in images)
        say(
            f'{figures["instances"]} instances of {figures["photos"]} photos are in {path}; '
            f'{empty} photos have none.',
        )
        for line in summarise(images, collector.classes):
            say(line)
    return figures


def _collect(
    cfg: Config, checkpoint: str, needs_masks: bool
) -> tuple[InstanceCollector, dict[str, float]]:
    """Test the model; return the only metric and its figures."""
    cfg.test_cfg = dict(type='TestLoop')
    runner = load_runner(cfg, checkpoint)
    # fail before all images have gone through the model
    if needs_masks and not getattr(unwrap_model(runner.model), 'makes_masks', True):
        raise UserError(NEEDS_MASKS)
    figures = runner.test()
    return runner.test_evaluator.metrics[0], figures


def export_ground_truth(
    cfg: Config,
    out: str,
    format: str = 'coco',
    split: str = 'corloc',
    segmentation: str = 'rle',
    link: bool = False,
) -> dict[str, float]:
    """Write the ground-truth instances of a split in the formats of pseudo labels.

    Args:
        cfg: The whole config.
        out: Folder to write to.
        format: ``'coco'``, ``'voc'`` or ``'yolo'``.
        split: The dataloader that lists the images; its data set has their masks.
        segmentation: ``'rle'`` or ``'polygon'``, for COCO.
        link: Whether to link images instead of copying them, for VOC and YOLO.

    Returns:
        The numbers of images (``photos``) and ``instances``.

    Raises:
        UserError: If an argument is unknown or an image has no ground-truth masks.
    """
    _check_known(format, segmentation)
    require_writable(out, folder=True)
    register_all_modules()
    loader = test_pipeline_of(cfg)[0]
    pipeline = [loader, dict(type='LoadInstanceMasks'), dict(type='PackWeakInputs')]
    dataset = DATASETS.build(split_loader(cfg, split, pipeline)['dataset'])
    images = []
    for index in tqdm(range(len(dataset)), desc='ground truth', unit='photo'):
        sample = dataset[index]['data_samples'].to_dict()
        if 'gt_mask_instances' not in sample:
            raise UserError(
                f'{sample["img_path"]} has no ground-truth masks: choose a --split that has them, '
                "such as corloc, whose data set has supervision='full'."
            )
        images.append(labelled_image(sample, sample['gt_mask_instances']))
    classes, read, name = dataset.metainfo['classes'], image_reader(loader), _list_name(split)
    info = dict(description='true instances')
    write_images(images, tuple(classes), out, format, read, name, segmentation, link, info)
    return {'photos': len(images), 'instances': sum(map(len, images))}


def _list_name(split: str) -> str:
    """Name of the exported list; CorLoc is measured on the training images."""
    return 'train' if split == 'corloc' else split


def _check_known(format: str, segmentation: str) -> None:
    for option, value, known in (
        ('format', format, FORMATS),
        ('segmentation', segmentation, SEGMENTATIONS),
    ):
        if value not in known:
            raise UserError(f"--{option} does not know '{value}'; it knows {', '.join(known)}.")
