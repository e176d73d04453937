"""Predictions kept for later."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from mmengine.evaluator import DumpResults

from mmlabelpenet.registry import METRICS

from ..functional import to_rles

TRUTH = ('ignored_instances', 'tags', 'ignored_tags')


@METRICS.register_module()
class DumpPredictions(DumpResults):
    """Writes predictions, and nothing of the truth, to a pickle file.

    The file holds one dict per image, as that of mmdet's ``DumpDetResults``; masks are RLE dicts,
    semantic maps uint8. Each also has ``classes``, the names of the data set's classes, so
    that an evaluation can tell whether labels mean what it takes them for.

    Args:
        out_file_path: The file, which ends with ``.pkl`` or ``.pickle``.
        collect_device: ``'cpu'`` or ``'gpu'``, where the ranks' predictions are gathered.
        collect_dir: Folder for gathering them.
    """

    def process(self, data_batch: Any, predictions: Sequence[dict]) -> None:
        """Keep the predictions of a batch.

        Args:
            data_batch: Not used.
            predictions: One dict per image.
        """
        super().process(data_batch, [self._slim(sample) for sample in predictions])

    def _slim(self, data_sample: Mapping[str, Any]) -> dict:
        kept = {
            name: value
            for name, value in data_sample.items()
            if not name.startswith('gt_') and name not in TRUTH
        }
        kept['classes'] = tuple(self.dataset_meta['classes'])
        predicted = kept.get('pred_instances', {})
        if 'masks' in predicted:
            kept['pred_instances'] = {**predicted, 'masks': to_rles(predicted['masks'])}
        if 'pred_sem_seg' in kept:
            values = torch.as_tensor(kept['pred_sem_seg']['sem_seg']).to(torch.uint8)
            kept['pred_sem_seg'] = {**kept['pred_sem_seg'], 'sem_seg': values}
        return kept
