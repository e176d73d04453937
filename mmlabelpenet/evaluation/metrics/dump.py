"""Dumping predictions for later evaluation."""

from collections.abc import Sequence
from typing import Any

import torch
from mmdet.evaluation import DumpDetResults

from mmlabelpenet.registry import METRICS
from mmlabelpenet.utils import atomic_path, dump_arrays

from ..functional import to_rles


@METRICS.register_module()
class DumpPredictions(DumpDetResults):
    """Writes predictions, and no ground truth, to a pickle file.

    The file holds one dict per image, as that of mmdet's ``DumpDetResults``; masks are RLE dicts,
    semantic maps uint8, and tensors are written as arrays, see :func:`dump_arrays`. Each dict also
    has ``classes``, the names of the data set's classes, so that an evaluation can check the
    meaning of the labels.

    Args:
        out_file_path: The file, which ends with ``.pkl`` or ``.pickle``.
        collect_device: ``'cpu'`` or ``'gpu'``, where the ranks' predictions are gathered.
        collect_dir: Folder for gathering them.
    """

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Keep the predictions of a batch.

        Args:
            data_batch: Not used.
            data_samples: One dict per image.
        """
        for sample in data_samples:
            kept = {
                name: value
                for name, value in sample.items()
                if not name.startswith(('gt_', 'tags', 'ignored_'))
            }
            # mmdet encodes tensors alone, but another metric may have encoded the masks already
            predicted = {**kept.get('pred_instances', {})}
            masks = predicted.pop('masks', None)
            kept |= {'pred_instances': predicted, 'classes': tuple(self.dataset_meta['classes'])}
            if 'pred_sem_seg' in kept:
                values = torch.as_tensor(kept['pred_sem_seg']['sem_seg']).to(torch.uint8)
                kept['pred_sem_seg'] = {**kept['pred_sem_seg'], 'sem_seg': values}
            super().process(data_batch, [kept])
            if masks is not None:
                self.results[-1]['pred_instances']['masks'] = to_rles(masks)

    def compute_metrics(self, results: list) -> dict:
        """Write the predictions of all ranks.

        Args:
            results: One dict per image.
        """
        with atomic_path(self.out_file_path) as temporary:
            dump_arrays(results, temporary)
        return {}
