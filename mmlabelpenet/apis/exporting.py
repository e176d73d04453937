"""Exporting the instances of a whole data set as labels: predicted ones, or the ground truth."""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mmengine.config import Config
from mmengine.dist import is_main_process
from tqdm import tqdm

from mmlabelpenet.export import (
    FORMATS,
    NEEDS_MASKS,
    SEGMENTATIONS,
    ImageReader,
    InstanceCollector,
    LabelledImage,
    image_reader,
    labelled_image,
    most_doubtful,
    summarise,
    write_images,
)
from mmlabelpenet.registry import DATASETS
from mmlabelpenet.utils import (
    UserError,
    number,
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


@dataclass(frozen=True)
class Layout:
    """How labels are written.

    Attributes:
        out: Folder to write to; of several formats each one is written to its own subfolder.
        formats: Some of :data:`~mmlabelpenet.export.FORMATS`.
        segmentation: ``'rle'`` or ``'polygon'``, for COCO and Label Studio.
        link: Whether to link images instead of copying them.
        min_visible: For VOC, see :func:`~mmlabelpenet.export.write_voc`.

    Raises:
        UserError: If an option is unknown.
    """

    out: str
    formats: Sequence[str] = ('coco',)
    segmentation: str = 'rle'
    link: bool = False
    min_visible: float = 0.0

    def __post_init__(self) -> None:
        for option, values, known in (
            ('format', self.formats, FORMATS),
            ('segmentation', [self.segmentation], SEGMENTATIONS),
        ):
            for value in values:
                if value not in known:
                    raise UserError(
                        f"--{option} does not know '{value}'; it knows {', '.join(known)}."
                    )

    @classmethod
    def of(cls, args: argparse.Namespace) -> 'Layout':
        """That of the command line, see :func:`add_export_arguments`."""
        return cls(args.out, args.format, args.segmentation, args.link, args.min_visible)

    def write(
        self,
        images: list[LabelledImage],
        classes: tuple[str, ...],
        read: ImageReader,
        split: str,
        info: Mapping,
    ) -> list[str]:
        """Write images in all formats; arguments and results as of :func:`write_images`."""
        formats = list(dict.fromkeys(self.formats))
        folders = [Path(self.out), *(Path(self.out) / format for format in formats)]
        folders = folders[:1] if len(formats) == 1 else folders[1:]
        options = (self.segmentation, self.link, info, self.min_visible)
        return [
            write_images(images, classes, str(folder), format, read, split, *options)
            for folder, format in zip(folders, formats)
        ]


def add_export_arguments(parser: argparse.ArgumentParser, split: str) -> None:
    """Add the arguments of an export: where and how it is written, and of which images.

    Args:
        parser: The parser.
        split: Default of ``--split``.
    """
    parser.add_argument(
        '--out', required=True, help='folder to write to; of several formats, each in a subfolder'
    )
    parser.add_argument(
        '--format', nargs='+', default=['coco'], choices=FORMATS, help='one or several'
    )
    parser.add_argument(
        '--split',
        default=split,
        choices=SPLITS,
        help='export the photos of this dataloader (corloc: training photos with ground truth)',
    )
    parser.add_argument(
        '--segmentation',
        default='rle',
        choices=SEGMENTATIONS,
        help='how COCO JSON holds masks; label-studio: brush regions (rle) or polygons',
    )
    parser.add_argument(
        '--link',
        action='store_true',
        help='link photos instead of copying them; coco: into images/, else they stay in place',
    )
    parser.add_argument(
        '--min-visible',
        type=number(float, 0, 1),
        default=Layout.min_visible,
        help='voc: least visible share of an instance that others cover',
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
    layout: Layout,
    stage: str | None = None,
    split: str = 'train',
    selection: Mapping | None = None,
    proposals: str | None = None,
    share: float = 1.0,
) -> dict[str, float]:
    """Write the instances that a stage finds in all images of a split as labels to train with.

    Images and tags come from the data set of the config; no ground truth is loaded.

    Args:
        cfg: The whole config, with ``work_dir`` and ``launcher``; changed in place.
        checkpoint: File of the weights.
        layout: Where and how labels are written.
        stage: The stage, see :func:`choose_stage`.
        split: One of ``SPLITS``: the dataloader that lists the images.
        selection: Arguments of :class:`~mmlabelpenet.export.Selection`.
        proposals: Where proposals come from, see :func:`choose_proposals`.
        share: Below 1, this share of the images is written, the most doubtful ones.

    Returns:
        The numbers of images (``photos``) and ``instances`` that were found.

    Raises:
        UserError: If the checkpoint does not exist or does not fit, or a part of the data is
            missing.
    """
    require_writable(layout.out, folder=True)
    stage = choose_stage(cfg, stage)
    choose_proposals(cfg, proposals)
    pipeline = test_pipeline_of(cfg)
    selection = dict(selection or {})
    cfg.test_dataloader = split_loader(cfg, split, pipeline)
    cfg.test_evaluator = dict(type='InstanceCollector', selection=selection)
    collector, figures = _collect(cfg, checkpoint, needs_masks='yolo' in layout.formats)
    if is_main_process():
        info = dict(
            description=f'instances of {Path(checkpoint).name}, stage {stage}',
            generator=f'mmlabelpenet {__version__}',
            selection=selection,
        )
        images = collector.images
        images = images if share >= 1 else most_doubtful(images, share)
        read, name = image_reader(pipeline[0]), _list_name(split)
        paths = layout.write(images, collector.classes, read, name, info)
        empty = sum(len(one) == 0 for one in images)
        say(
            f'{sum(map(len, images))} instances of {len(images)} photos are in '
            f'{", ".join(paths)}; {empty} photos have none.',
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


def export_ground_truth(cfg: Config, layout: Layout, split: str = 'corloc') -> dict[str, float]:
    """Write the ground-truth instances of a split in the formats of pseudo labels.

    Args:
        cfg: The whole config.
        layout: Where and how labels are written.
        split: The dataloader that lists the images; its data set has their masks.

    Returns:
        The numbers of images (``photos``) and ``instances``.

    Raises:
        UserError: If an image has no ground-truth masks.
    """
    require_writable(layout.out, folder=True)
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
    classes, read = tuple(dataset.metainfo['classes']), image_reader(loader)
    layout.write(images, classes, read, _list_name(split), dict(description='true instances'))
    return {'photos': len(images), 'instances': sum(map(len, images))}


def _list_name(split: str) -> str:
    """Name of the exported list; CorLoc is measured on the training images."""
    return 'train' if split == 'corloc' else split
