"""What the metrics share."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from mmdet.structures.bbox import get_box_tensor
from mmengine.evaluator import BaseMetric
from mmengine.logging import print_log
from terminaltables import AsciiTable

from mmlabelpenet.utils import UserError


class PhotoMetric(BaseMetric):
    """A metric that keeps one light record per photo.

    One record per photo, in the order of the data set, is what lets mmengine's evaluator cut
    off the photos with which a distributed sampler pads its shards, so that the figures
    equal those of a single process.

    Args:
        collect_device: ``'cpu'`` or ``'gpu'``, where the ranks' records are gathered.
        prefix: Put before the names of the figures, as ``prefix/name``; none by default.
    """

    # not None, at which BaseMetric would warn that the names have no prefix
    default_prefix = ''

    def __init__(self, collect_device: str = 'cpu', prefix: str | None = None) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the data set's classes."""
        return tuple(self.dataset_meta['classes'])

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Add one record per photo to ``self.results``.

        Args:
            data_batch: The batch as the data loader gave it; not used.
            data_samples: Predictions and ground truth, one dict per photo.
        """
        self.results.extend(self.measure(sample) for sample in data_samples)

    @abstractmethod
    def measure(self, data_sample: Mapping[str, Any]) -> Any:
        """Make the record of one photo: small, free of tensors, and no tuple with names.

        (mmengine, when it moves records to the CPU, makes plain tuples of named ones.)
        """

    @abstractmethod
    def compute_metrics(self, results: list) -> dict[str, float]:
        """Compute the named figures from the records of all photos."""

    def log_table(self, title: str, columns: Mapping[str, np.ndarray | Sequence[float]]) -> None:
        """Log one line per class, and the mean of the columns of fractions below.

        Args:
            title: Put into the frame of the table.
            columns: C values under each heading; integers are counts and are summed.
        """
        arrays = {name: np.asarray(values) for name, values in columns.items()}
        rows = [['class', *arrays]]
        for row, name in enumerate(self.classes):
            rows.append([name, *(_format(values[row]) for values in arrays.values())])
        rows.append(['all', *(_format(_summary(values)) for values in arrays.values())])
        table = AsciiTable(rows, title)
        table.inner_footing_row_border = True
        print_log('\n' + table.table, logger='current')


def _summary(values: np.ndarray) -> float:
    if np.issubdtype(values.dtype, np.integer):
        return values.sum()
    valid = values[~np.isnan(values)]
    return valid.mean() if valid.size else np.nan


def _format(value: float) -> str:
    if isinstance(value, (int, np.integer)):
        return str(value)
    return '-' if np.isnan(value) else f'{value:.3f}'


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
        data_sample: Of one photo, or a part of it.
        name: Of the field.
        remedy: What the user can do where it is missing.

    Raises:
        UserError: If it is missing.
    """
    if name not in data_sample:
        photo = data_sample.get('img_path', 'a photo')
        raise UserError(f'There is no {name} for {photo}: {remedy}.')
    return data_sample[name]
