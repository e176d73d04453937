"""Collecting the instances that a model finds, and writing them in one of the formats."""

import logging
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.logging import print_log
from mmengine.registry import TRANSFORMS

from mmlabelpenet.evaluation.metrics.base import ImageMetric, boxes_of, labels_of, to_numpy
from mmlabelpenet.registry import METRICS
from mmlabelpenet.utils import image_name, say, to_rles

from .coco import write_coco
from .label_studio import write_label_studio
from .records import ImageReader, LabelledImage, Selection, class_counts, doubt_of
from .summary import class_thresholds
from .voc import write_voc
from .yolo import write_yolo

# Least score of an instance while thresholds are not known yet.
LEAST = 0.01
FORMATS = ('coco', 'voc', 'yolo', 'label-studio')


@METRICS.register_module()
class InstanceCollector(ImageMetric):
    """Collects selected instances of all images instead of measuring them.

    Reads of each image ``pred_instances`` (bboxes, labels, scores and, if the stage makes them,
    masks), ``tags`` and ``ignored_tags``. Gives the numbers of images (``photos``) and
    ``instances``. It keeps the selected instances only, with masks as run lengths, so that data
    sets of any size fit into memory.

    Attributes:
        images: The images of the last evaluation; on the main process only.

    Args:
        selection: Arguments of :class:`Selection`; a ``score_thr`` of ``'auto'`` follows from the
            scores, see :func:`class_thresholds`.
        **kwargs: See :class:`ImageMetric`.
    """

    def __init__(self, selection: Mapping | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        settings = dict(selection or {})
        self.follows_scores = settings.get('score_thr') == 'auto'
        if self.follows_scores:
            settings['score_thr'] = LEAST
        self.selection = Selection(**settings)
        self.images: list[LabelledImage] = []

    def measure(self, data_sample: Mapping[str, Any]) -> LabelledImage:
        """Select the instances of one image."""
        return self.selection(labelled_image(data_sample, data_sample['pred_instances']))

    def compute_metrics(self, results: list[LabelledImage]) -> dict[str, float]:
        """Keep the images; log how many instances of each class there are."""
        if self.follows_scores:
            least = class_thresholds(results, len(self.classes))
            sure = (np.flatnonzero(one.scores >= least[one.labels]) for one in results)
            results = [image.take(indices) for image, indices in zip(results, sure)]
            texts = (f'{name} {one:.2f}' for name, one in zip(self.classes, least))
            say(f'Least scores that follow from the scores: {", ".join(texts)}')
        self.images = results
        counts = class_counts(results, len(self.classes))
        holding = [sum(c in one.labels for one in results) for c in range(len(self.classes))]
        self.log_table('exported', {'photos': np.array(holding), 'instances': counts})
        if counts.sum() == 0:
            print_log(
                f'No instance has a score of {self.selection.score_thr:g} and meets the other '
                'conditions: lower --score-thr, or inspect the predictions of the stage.',
                logger='current',
                level=logging.WARNING,
            )
        return {'photos': len(results), 'instances': int(counts.sum())}


def image_reader(loader: dict) -> ImageReader:
    """Make a function that reads an image by a config's loading transform."""
    transform = TRANSFORMS.build(loader)
    return lambda path: transform({'img_path': path})['img']


def labelled_image(data_sample: Mapping[str, Any], instances: Mapping[str, Any]) -> LabelledImage:
    """Make the record of one image.

    Args:
        data_sample: Meta information and tags of the image.
        instances: ``bboxes``, ``labels`` and, if present, ``scores`` and ``masks``.
    """
    labels = labels_of(instances)
    known, ignored = data_sample.get('tags'), data_sample.get('ignored_tags')
    tags = None if known is None else np.flatnonzero(to_numpy(known) > 0.5).tolist()
    scores = to_numpy(instances.get('scores', np.ones(len(labels))))
    return LabelledImage(
        img_id=image_name(data_sample),
        img_path=data_sample['img_path'],
        dataset_name=data_sample.get('dataset_name', 'photos'),
        size=tuple(data_sample['ori_shape'][:2]),
        labels=labels,
        scores=scores,
        boxes=boxes_of(instances),
        masks=to_rles(instances['masks']) if 'masks' in instances else None,
        tags=tags,
        ignored_tags=() if ignored is None else np.flatnonzero(to_numpy(ignored) > 0.5).tolist(),
        doubt=doubt_of(labels, scores, tags),
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
    min_visible: float = 0.0,
) -> str:
    """Write images in one of the formats.

    Args:
        images: All images of the split.
        classes: Names of the classes.
        out: Folder to write to.
        format: One of ``FORMATS``.
        read: Reads an image as the model sees it.
        split: Name of the images' list.
        segmentation: See :func:`write_coco` and :func:`write_label_studio`.
        link: Whether to link images; otherwise they are copied, but for COCO.
        info: See :func:`write_coco`.
        min_visible: See :func:`write_voc`.

    Returns:
        The file that a training on the labels reads.
    """
    if format == 'coco':
        linking = read if link else None
        return str(write_coco(images, classes, out, split, segmentation, info, linking))
    writers: dict[str, Callable[..., Path]] = {
        'voc': partial(write_voc, min_visible=min_visible),
        'yolo': write_yolo,
        'label-studio': partial(write_label_studio, segmentation=segmentation),
    }
    return str(writers[format](images, classes, out, read, split, link))
