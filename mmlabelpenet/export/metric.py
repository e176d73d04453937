"""Collecting a model's instances while it is tested."""

import logging
from collections.abc import Mapping
from typing import Any

import numpy as np
from mmengine.logging import print_log
from mmengine.registry import TRANSFORMS

from mmlabelpenet.evaluation import to_rles
from mmlabelpenet.evaluation.metrics.base import ImageMetric, boxes_of, labels_of, to_numpy
from mmlabelpenet.registry import METRICS
from mmlabelpenet.utils import UserError

from .coco import write_coco
from .records import ImageReader, LabelledImage, Selection, class_counts
from .voc import write_voc
from .yolo import write_yolo

FORMATS = ('coco', 'voc', 'yolo')


@METRICS.register_module()
class InstanceExport(ImageMetric):
    """Writes instances as labels that others can learn from, instead of measuring them.

    Reads of each image ``pred_instances`` (bboxes, labels, scores and, where there are some,
    masks), ``tags`` and ``ignored_tags``. Gives the numbers of ``images`` and ``instances``.

    Args:
        out: Folder to write to.
        format: ``'coco'``, ``'voc'`` or ``'yolo'``.
        split: Name of the images' list.
        selection: Arguments of :class:`Selection`.
        segmentation: ``'rle'`` or ``'polygon'``, for COCO.
        link: Whether to link images in place of copying them, for VOC and YOLO.
        loader: Config of the transform that reads images as the model sees them.
        info: What else COCO files note under ``info``.
        collect_device: See :class:`ImageMetric`.
        prefix: See :class:`ImageMetric`.

    Raises:
        UserError: If the format is unknown.
    """

    def __init__(
        self,
        out: str,
        format: str = 'coco',
        split: str = 'train',
        selection: Mapping | None = None,
        segmentation: str = 'rle',
        link: bool = False,
        loader: dict | None = None,
        info: Mapping | None = None,
        collect_device: str = 'cpu',
        prefix: str | None = None,
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        if format not in FORMATS:
            raise UserError(f"--format does not know '{format}'; it knows {', '.join(FORMATS)}.")
        self.out = out
        self.format = format
        self.split = split
        self.selection = Selection(**(selection or {}))
        self.segmentation = segmentation
        self.link = link
        self.read = image_reader(loader or dict(type='LoadImageFromFile'))
        self.info = dict(info or {})

    def measure(self, data_sample: Mapping[str, Any]) -> LabelledImage:
        """Choose the instances of one image."""
        return self.selection(labelled_image(data_sample, data_sample['pred_instances']))

    def compute_metrics(self, results: list[LabelledImage]) -> dict[str, float]:
        """Write all images; log how many instances of each class there are."""
        where = write_images(
            results,
            self.classes,
            self.out,
            self.format,
            self.read,
            self.split,
            segmentation=self.segmentation,
            link=self.link,
            info=self.info,
        )
        counts = class_counts(results, len(self.classes))
        holding = [sum(c in one.labels for one in results) for c in range(len(self.classes))]
        self.log_table('exported', {'photos': np.array(holding), 'instances': counts})
        empty = sum(len(one) == 0 for one in results)
        if counts.sum() == 0:
            print_log(
                f'No instance has a score of {self.selection.score_thr:g} and all else that was '
                'asked for: lower --score-thr, or look at what the stage finds.',
                logger='current',
                level=logging.WARNING,
            )
        print_log(
            f'{counts.sum()} instances of {len(results)} photos are in {where}; '
            f'{empty} photos have none.',
            logger='current',
        )
        return {'photos': len(results), 'instances': int(counts.sum())}


def image_reader(loader: dict) -> ImageReader:
    """Make a function that reads an image by a config's loading transform."""
    transform = TRANSFORMS.build(loader)
    return lambda path: transform({'img_path': path})['img']


def labelled_image(data_sample: Mapping[str, Any], instances: Mapping[str, Any]) -> LabelledImage:
    """Make the record of one image.

    Args:
        data_sample: What the data set knows of it.
        instances: ``bboxes``, ``labels`` and, where there are some, ``scores`` and ``masks``.
    """
    labels = labels_of(instances)
    tags, ignored = data_sample.get('tags'), data_sample.get('ignored_tags')
    return LabelledImage(
        img_id=str(data_sample['img_id']),
        img_path=data_sample['img_path'],
        dataset_name=data_sample.get('dataset_name', 'photos'),
        size=tuple(data_sample['ori_shape'][:2]),
        labels=labels,
        scores=to_numpy(instances.get('scores', np.ones(len(labels)))),
        boxes=boxes_of(instances),
        masks=to_rles(instances['masks']) if 'masks' in instances else None,
        tags=None if tags is None else np.flatnonzero(to_numpy(tags) > 0.5).tolist(),
        ignored_tags=() if ignored is None else np.flatnonzero(to_numpy(ignored) > 0.5).tolist(),
    )


def write_images(
    images: list[LabelledImage],
    classes: tuple[str, ...],
    out: str,
    format: str,
    read: ImageReader,
    split: str = 'train',
    segmentation: str = 'rle',
    link: bool = False,
    info: Mapping | None = None,
) -> str:
    """Write images in one of the formats.

    Args:
        images: All images of the split.
        classes: Names of the classes.
        out: Folder to write to.
        format: One of ``FORMATS``.
        read: Reads an image as the model sees it.
        split: Name of the images' list.
        segmentation: See :func:`write_coco`.
        link: See :func:`write_voc`.
        info: See :func:`write_coco`.

    Returns:
        The file that a trainer is given.
    """
    if format == 'coco':
        return str(write_coco(images, classes, out, split, segmentation, info))
    write = write_voc if format == 'voc' else write_yolo
    return str(write(images, classes, out, read, split, link))
