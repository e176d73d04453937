"""Base class and common functions of the metrics."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import torch
from mmdet.structures.bbox import get_box_tensor
from mmengine.evaluator import BaseMetric
from mmengine.logging import print_log

from mmlabelpenet.datasets.devkit import VOID
from mmlabelpenet.utils import UserError

from ..functional import to_rles
from ..report import ClassTable

# of one image: classes [N] int of some objects, and a value [N] for each object
LabelledValues: TypeAlias = tuple[np.ndarray, np.ndarray]


class ImageMetric(BaseMetric):
    """A metric that keeps one light record per image.

    A distributed sampler pads its shards with images that occur twice. With one record per
    image, in the order of the data set, mmengine's evaluator can drop them, so that the figures
    equal those of a single process.

    Attributes:
        tables: Figures of every class of the last evaluation; on the main process only.

    Args:
        collect_device: ``'cpu'`` or ``'gpu'``, where the ranks' records are gathered.
        prefix: Put before the names of the figures, as ``prefix/name``; none by default.
    """

    # not None, at which BaseMetric would warn that the names have no prefix
    default_prefix = ''

    def __init__(self, collect_device: str = 'cpu', prefix: str | None = None) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        self.tables: list[ClassTable] = []

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the data set's classes."""
        return tuple(self.dataset_meta['classes'])

    @property
    def inclusive_boxes(self) -> bool:
        """Whether (x2, y2) is the last pixel inside a box, as in VOC.

        A data set whose boxes end outside, as COCO's do, has ``inclusive_boxes=False`` in its
        metainfo.
        """
        return self.dataset_meta.get('inclusive_boxes', True)

    def predicted_boxes(self, data_sample: Mapping[str, Any]) -> np.ndarray:
        """Get the predicted boxes [N, 4] of an image; they end as those of the data set.

        They are used as they are, as by mmdet's ``VOCMetric``, unless the sample has
        ``boxes_end='outside'``: then x2 and y2 are the first pixels outside.

        Args:
            data_sample: Of one image.
        """
        boxes = boxes_of(data_sample['pred_instances']).astype(np.float64)
        if self.inclusive_boxes and data_sample.get('boxes_end') == 'outside':
            boxes[:, 2:] -= 1
        return boxes

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Add one record per image to ``self.results``.

        Args:
            data_batch: The batch of the data loader; not used.
            data_samples: Predictions and ground truth, one dict per image.
        """
        for sample in data_samples:
            # the samples are shared: the first metric copies the masks for all of them
            predicted = sample.get('pred_instances', {})
            if isinstance(predicted.get('masks'), torch.Tensor):
                predicted['masks'] = to_numpy(predicted['masks'])
            self.results.append(self.measure(sample))

    def evaluate(self, size: int) -> dict[str, float]:
        """Compute the figures from the records of all ranks.

        Args:
            size: Number of images of the data set; records that a sampler added are dropped.
        """
        self.tables = []
        return super().evaluate(size)

    @abstractmethod
    def measure(self, data_sample: Mapping[str, Any]) -> Any:
        """Make the record of one image: small, without tensors, and not a named tuple.

        (mmengine moves records to the CPU and turns named tuples into plain ones.)
        """

    @abstractmethod
    def compute_metrics(self, results: list) -> dict[str, float]:
        """Compute the figures by name from the records of all images."""

    def log_table(self, title: str, columns: Mapping[str, np.ndarray | Sequence[float]]) -> None:
        """Log one line per class, and the summary of each column below.

        Args:
            title: Shown in the frame of the table.
            columns: C values under each heading; integers are counts and are summed.
        """
        title = f'{self.prefix}: {title}' if self.prefix else title
        arrays = {name: np.asarray(values) for name, values in columns.items()}
        self.tables.append(ClassTable(title, self.classes, arrays))
        print_log('\n' + self.tables[-1].to_text(), logger='current')


def pool_values(
    records: Sequence[LabelledValues], num_classes: int
) -> tuple[np.ndarray, list[np.ndarray]]:
    """Pool the values of all images.

    Args:
        records: One per image.
        num_classes: C.

    Returns:
        All values [N] float64 in the order of the images, and those of each of C classes.
    """
    labels = np.concatenate([np.zeros(0, dtype=int), *(labels for labels, _ in records)])
    values = np.concatenate([np.zeros(0), *(values for _, values in records)])
    return values, [values[labels == label] for label in range(num_classes)]


def to_numpy(value: torch.Tensor | np.ndarray | Sequence) -> np.ndarray:
    """Convert a tensor on any device and of any dtype (also bfloat16), or a list, to an array."""
    if isinstance(value, torch.Tensor):
        value = value.detach().cpu()
        return (value.float() if value.is_floating_point() else value).numpy()
    return np.asarray(value)


def boxes_of(instances: Mapping[str, Any] | None) -> np.ndarray:
    """Get the boxes [N, 4] xyxy of instances, [0, 4] if there are no instances."""
    boxes = (instances or {}).get('bboxes', np.zeros((0, 4)))
    return to_numpy(get_box_tensor(boxes)).reshape(-1, 4)


def labels_of(instances: Mapping[str, Any] | None) -> np.ndarray:
    """Get the labels [N] of instances, [0] if there are no instances."""
    return to_numpy((instances or {}).get('labels', ())).astype(int)


def gt_boxes_of(data_sample: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """Get the ground-truth boxes of an image, difficult ones last.

    Args:
        data_sample: Of one image.

    Returns:
        ``gt_labels`` [G], ``gt_bboxes`` [G, 4] xyxy and ``difficult`` [G] bool.
    """
    parts = gt_instances_of(data_sample), data_sample.get('ignored_instances')
    labels, ignored_labels = map(labels_of, parts)
    difficult = np.arange(len(labels) + len(ignored_labels)) >= len(labels)
    return {
        'gt_labels': np.concatenate([labels, ignored_labels]),
        'gt_bboxes': np.concatenate([*map(boxes_of, parts)]),
        'difficult': difficult,
    }


def threshold_name(name: str, threshold: float) -> str:
    """Name a figure at a threshold, e.g. ``bbox_mAP_50`` of ``bbox_mAP`` at .5."""
    return f'{name}_{round(threshold * 100):02d}'


def require(data_sample: Mapping[str, Any], name: str, remedy: str) -> Any:
    """Get a field that a metric needs.

    Args:
        data_sample: Of one image, or a part of it.
        name: Of the field.
        remedy: What the user can do if it is missing.

    Raises:
        UserError: If it is missing.
    """
    if name not in data_sample:
        known = (data_sample.get(key) for key in ('img_path', 'file_name'))
        image = next(filter(None, known), 'A photo')
        raise UserError(f'{image} has no {name}: {remedy}.')
    return data_sample[name]


def gt_instances_of(data_sample: Mapping[str, Any]) -> Mapping[str, Any]:
    """Get the ground-truth instances of an image.

    Args:
        data_sample: Of one image.

    Raises:
        UserError: If it has none, as the dumped predictions that mmdet's ``eval_metric`` reads.
    """
    remedy = (
        "load them with the data (supervision='full', LoadAnnotations), and measure dumped "
        "predictions by this package's tools/analysis_tools/eval_metric.py"
    )
    return require(data_sample, 'gt_instances', remedy)


def masks_of(data_sample: Mapping[str, Any]) -> tuple[np.ndarray | list[dict], list[dict]]:
    """Get the predicted and the ground-truth masks of an image.

    Args:
        data_sample: Of one image.

    Returns:
        Predicted masks, an array [P, H, W] or RLE dicts as they are given, and those of the
        ground truth as RLE dicts.

    Raises:
        UserError: If the tested stage makes no masks, the image has no ground-truth masks, or
            the sizes differ.
    """
    remedy = (
        'test on a split whose photos have masks, let the pipeline load them (LoadInstanceMasks), '
        'or leave segm out of --eval'
    )
    gt_masks = to_rles(require(data_sample, 'gt_mask_instances', remedy)['masks'])
    remedy = (
        'the tested stage makes none, test one that does (--stage calibration for pseudo labels) '
        'or leave segm out of --eval'
    )
    found = {**data_sample, **data_sample['pred_instances']}
    masks = require(found, 'masks', remedy)
    if len(gt_masks) and len(masks) and _size(gt_masks[0]) != _size(masks[0]):
        image = data_sample.get('img_path', 'a photo')
        raise UserError(
            f'Predicted masks of {image} have {_size(masks[0])} pixels, those of the ground '
            f'truth {_size(gt_masks[0])}: predict in pixels of the original photo.'
        )
    return masks, gt_masks


def counted_pixels(data_sample: Mapping[str, Any], ignore_void: bool) -> np.ndarray | None:
    """Get the pixels [H, W] at which predicted masks count; None if they count everywhere.

    Args:
        data_sample: Of one image.
        ignore_void: Whether to leave out pixels that VOC marks as void (``gt_sem_seg``), so that
            they count neither as right nor as wrong.
    """
    return to_numpy(data_sample['gt_sem_seg']['sem_seg'])[0] != VOID if ignore_void else None


def _size(mask: np.ndarray | Mapping[str, Any]) -> str:
    height, width = mask['size'] if isinstance(mask, Mapping) else mask.shape
    return f'{width} x {height}'
