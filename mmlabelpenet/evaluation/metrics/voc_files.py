"""Results in the format of PASCAL VOC's evaluation server."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from mmlabelpenet.datasets import VOCInstanceDataset
from mmlabelpenet.datasets.devkit import write_mask
from mmlabelpenet.registry import METRICS
from mmlabelpenet.utils import say, write_lines

from .base import ImageMetric, labels_of, to_numpy

# of one image: its name, and class [N], score [N] and box [N, 4] of its predictions
ImageResult: TypeAlias = tuple[str, np.ndarray, np.ndarray, np.ndarray]


@METRICS.register_module()
class VOCResultFiles(ImageMetric):
    """Writes results in the layout of VOC's devkit instead of measuring them.

    The labels of VOC 2012's test images are not public: its server measures archives of

    - ``results/{year}/Main/comp4_det_{split}_{class}.txt``: a line ``image score x1 y1 x2 y2`` for
      each box of the class, in pixels counted from 1, (x2, y2) being the last pixel in the box;
    - ``results/{year}/Segmentation/comp6_{split}_cls/{image}.png``: the class of each pixel (0
      background) in VOC's palette; of stages that make masks.

    Competitions 4 and 6 are those that allow other data than VOC's, such as weights trained on
    ImageNet. Only image names and predictions are read. Scores are written with the nine digits
    that hold a float32, boxes with ten, so that the server gives the figures of
    :class:`VOCDetectionMetric`.

    Args:
        out_dir: Folder in which ``results`` is written.
        split: Name of the images' list, e.g. ``test``.
        year: Name of the devkit's folder, e.g. ``VOC2012``.
        **kwargs: See :class:`ImageMetric`.

    Source: ``devkit_doc.pdf`` of the VOC 2012 development kit, its results' file formats.
    """

    def __init__(self, out_dir: str, split: str, year: str = 'VOC2012', **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.folder = Path(out_dir) / 'results' / year
        self.split = split

    def measure(self, data_sample: Mapping[str, Any]) -> ImageResult:
        """Write the semantic map of one image; keep its boxes for the end."""
        img_id = str(data_sample['img_id'])
        if 'pred_sem_seg' in data_sample:
            values = to_numpy(data_sample['pred_sem_seg']['sem_seg'])[0].astype(np.int64)
            lookup = np.array([0, *_voc_values(self.classes)])
            folder = self.folder / 'Segmentation' / f'comp6_{self.split}_cls'
            write_mask(folder / f'{img_id}.png', lookup[values])
        predicted = data_sample['pred_instances']
        last = 1.0 if self.inclusive_boxes else 0.0
        boxes = self.predicted_boxes(data_sample) + np.array([1.0, 1.0, last, last])
        return img_id, labels_of(predicted), to_numpy(predicted['scores']), boxes

    def compute_metrics(self, results: list[ImageResult]) -> dict[str, float]:
        """Write one file of boxes for each class; gives no figure."""
        for label, name in enumerate(self.classes):
            path = self.folder / 'Main' / f'comp4_det_{self.split}_{name}.txt'
            write_lines(path, [line for one in results for line in _lines(*one, label)])
        say(f'Results of {len(results)} photos are in {self.folder}.')
        return {}


def _lines(
    img_id: str, labels: np.ndarray, scores: np.ndarray, boxes: np.ndarray, label: int
) -> list[str]:
    return [
        f'{img_id} {score:.9g} ' + ' '.join(f'{side:.10g}' for side in box)
        for score, box in zip(scores[labels == label], boxes[labels == label])
    ]


def _voc_values(classes: tuple[str, ...]) -> list[int]:
    """Pixel value of each class: VOC's own if they are VOC's classes, else by their order."""
    known = VOCInstanceDataset.METAINFO['classes']
    if set(classes) <= set(known):
        return [known.index(name) + 1 for name in classes]
    return list(range(1, len(classes) + 1))
