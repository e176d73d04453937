"""Packing images and tags for the model."""

from collections.abc import Sequence

import torch
from mmdet.datasets.transforms import PackDetInputs

from mmlabelpenet.registry import TRANSFORMS


@TRANSFORMS.register_module()
class PackWeakInputs(PackDetInputs):
    """Packs the inputs as mmdet does, and image tags.

    In addition to the fields of the parent class, the data sample has

    - ``tags`` (Tensor): [C] float, 1 where the class is in the image;
    - ``ignored_tags`` (Tensor): [C] float, 1 where the class may be in the image;
    - ``gt_mask_instances`` (InstanceData): if ``LoadInstanceMasks`` has added it;
    - ``gt_instances.weights`` (Tensor): [G] float, if the results have ``gt_weights``;
    - ``corrected`` (bool), in the metainfo: if ``LoadCorrections`` has added the labels.

    Args:
        num_classes: C; by default that of the data set.
        meta_keys: Keys to keep in the data sample's metainfo.
    """

    mapping_table = {**PackDetInputs.mapping_table, 'gt_weights': 'weights'}

    def __init__(
        self,
        num_classes: int | None = None,
        meta_keys: Sequence[str] = (
            'img_id',
            'img_path',
            'file_name',
            'dataset_name',
            'ori_shape',
            'img_shape',
            'scale_factor',
            'flip',
            'flip_direction',
            'corrected',
        ),
    ) -> None:
        super().__init__(meta_keys=meta_keys)
        self.num_classes = num_classes

    def transform(self, results: dict) -> dict:
        """Pack ``results`` into ``inputs`` [3, H, W] uint8 and ``data_samples``."""
        packed = super().transform(results)
        sample = packed['data_samples']
        num_classes = self.num_classes or results.get('num_classes')
        if num_classes is not None:
            sample.tags = _multi_hot(results.get('tags', ()), num_classes)
            sample.ignored_tags = _multi_hot(results.get('ignored_tags', ()), num_classes)
        if 'gt_mask_instances' in results:
            sample.gt_mask_instances = results['gt_mask_instances']
        return packed


def _multi_hot(labels: Sequence[int], num_classes: int) -> torch.Tensor:
    return torch.zeros(num_classes).index_fill(0, torch.tensor(labels, dtype=torch.long), 1)
