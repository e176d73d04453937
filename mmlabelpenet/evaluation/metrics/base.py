"""What the metrics share."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from mmdet.structures.bbox import get_box_tensor
from mmengine.evaluator import BaseMetric
from mmengine.logging import print_log

from mmlabelpenet.utils import UserError

from ..functional import intersect_masks, to_rles
from ..report import ClassTable

# value of the pixels that VOC leaves undecided
VOID = 255


class ImageMetric(BaseMetric):
    """A metric that keeps one light record per image.

    One record per image, in the order of the data set, is what lets mmengine's evaluator cut
    off the images with which a distributed sampler pads its shards, so that the figures
    equal those of a single process.

    Attributes:
        tables: What the last evaluation logged of every class; on the main process only.

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
        """Whether (x2, y2) is the last pixel inside a box, as in VOC and unless told otherwise.

        A data set whose boxes end outside, as COCO's do, says ``inclusive_boxes=False`` in its
        metainfo.
        """
        return self.dataset_meta.get('inclusive_boxes', True)

    def predicted_boxes(self, data_sample: Mapping[str, Any]) -> np.ndarray:
        """Predicted boxes [N, 4] of an image, their ends as the data set has them.

        They are taken as they are, as mmdet's ``VOCMetric`` does, unless the sample says
        ``boxes_end='outside'``: x2 and y2 are the first pixels outside.

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
            data_batch: The batch as the data loader gave it; not used.
            data_samples: Predictions and ground truth, one dict per image.
        """
        for sample in data_samples:
            # metrics share the samples: the first one encodes the masks, for all of them
            predicted = sample.get('pred_instances', {})
            if 'masks' in predicted:
                predicted['masks'] = to_rles(predicted['masks'])
            self.results.append(self.measure(sample))

    def evaluate(self, size: int) -> dict[str, float]:
        """Compute the figures of all ranks' records.

        Args:
            size: Images of the data set; what a sampler added beyond is left out.
        """
        self.tables = []
        return super().evaluate(size)

    @abstractmethod
    def measure(self, data_sample: Mapping[str, Any]) -> Any:
        """Make the record of one image: small, free of tensors, and no tuple with names.

        (mmengine, when it moves records to the CPU, makes plain tuples of named ones.)
        """

    @abstractmethod
    def compute_metrics(self, results: list) -> dict[str, float]:
        """Compute the named figures from the records of all images."""

    def log_table(self, title: str, columns: Mapping[str, np.ndarray | Sequence[float]]) -> None:
        """Log one line per class, and the mean of the columns of fractions below.

        Args:
            title: Put into the frame of the table.
            columns: C values under each heading; integers are counts and are summed.
        """
        title = f'{self.prefix}: {title}' if self.prefix else title
        arrays = {name: np.asarray(values) for name, values in columns.items()}
        self.tables.append(ClassTable(title, self.classes, arrays))
        print_log('\n' + self.tables[-1].to_text(), logger='current')


def to_numpy(value: torch.Tensor | np.ndarray | Sequence) -> np.ndarray:
    """Turn a tensor on any device and of any dtype (bfloat16 too), or a list, into an array."""
    if isinstance(value, torch.Tensor):
        value = value.detach().cpu()
        return (value.float() if value.is_floating_point() else value).numpy()
    return np.asarray(value)


def boxes_of(instances: Mapping[str, Any] | None) -> np.ndarray:
    """Boxes [N, 4] xyxy of instances, [0, 4] where there are no instances."""
    if instances is None or 'bboxes' not in instances:
        return np.zeros((0, 4))
    return to_numpy(get_box_tensor(instances['bboxes'])).reshape(-1, 4)


def labels_of(instances: Mapping[str, Any] | None) -> np.ndarray:
    """Labels [N] of instances, [0] where there are no instances."""
    if instances is None or 'labels' not in instances:
        return np.zeros(0, dtype=int)
    return to_numpy(instances['labels']).astype(int)


def threshold_name(name: str, threshold: float) -> str:
    """Make a figure's name, e.g. ``bbox_mAP_50`` of ``bbox_mAP`` at .5."""
    return f'{name}_{round(threshold * 100):02d}'


def require(data_sample: Mapping[str, Any], name: str, remedy: str) -> Any:
    """Get what a metric can not do without.

    Args:
        data_sample: Of one image, or a part of it.
        name: Of the field.
        remedy: What the user can do where it is missing.

    Raises:
        UserError: If it is missing.
    """
    if name not in data_sample:
        image = data_sample.get('img_path', 'a photo')
        raise UserError(f'There is no {name} for {image}: {remedy}.')
    return data_sample[name]


def masks_of(
    data_sample: Mapping[str, Any], ignore_void: bool = False
) -> tuple[list[dict], list[dict]]:
    """Predicted and true masks of an image as RLE dicts.

    Args:
        data_sample: Of one image.
        ignore_void: Whether to take pixels that VOC marks as void (``gt_sem_seg``) out of the
            predicted masks, so that they count neither way.

    Raises:
        UserError: If the tested stage makes no masks, the image has no true masks, or they are
            of another size.
    """
    remedy = (
        'test on a split whose photos have masks, let the pipeline load them (LoadInstanceMasks), '
        'or leave segm out of --eval'
    )
    true = to_rles(require(data_sample, 'gt_mask_instances', remedy)['masks'])
    remedy = (
        'the tested stage makes none, test one that does (--stage calibration for pseudo labels) '
        'or leave segm out of --eval'
    )
    predicted = to_rles(require(data_sample['pred_instances'], 'masks', remedy))
    if true and predicted and list(true[0]['size']) != list(predicted[0]['size']):
        image = data_sample.get('img_path', 'a photo')
        raise UserError(
            f'Predicted masks of {image} have {_size(predicted[0])} pixels, the true ones '
            f'{_size(true[0])}: predict in pixels of the original photo.'
        )
    if ignore_void:
        classes = to_numpy(data_sample['gt_sem_seg']['sem_seg'])
        predicted = intersect_masks(predicted, classes[0] != VOID)
    return predicted, true


def _size(mask: Mapping[str, Any]) -> str:
    height, width = mask['size']
    return f'{width} x {height}'
