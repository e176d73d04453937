"""Recorded figures on VOC12-mini that need no model."""

import os
from pathlib import Path

import numpy as np
import pytest

from mmlabelpenet.datasets import VOCInstanceDataset
from mmlabelpenet.datasets.transforms import LoadInstanceMasks
from mmlabelpenet.evaluation import VOCInstanceMetric

from .samples import instances, run

pytestmark = pytest.mark.skipif(
    'VOC12MINI_ROOT' not in os.environ, reason='VOC12MINI_ROOT is not set'
)


def filled(box, shape):
    mask = np.zeros(shape, dtype=bool)
    left, top, right, bottom = (round(side) for side in box)
    mask[top : bottom + 1, left : right + 1] = True
    return mask


def sample_of(info):
    """The true boxes, filled, as prediction, in the order of the annotation."""
    loaded = LoadInstanceMasks()(dict(info))
    seg_map, true = loaded['gt_seg_map'], loaded['gt_mask_instances']
    objects = info['instances']
    predicted = instances([o['bbox_label'] for o in objects], scores=[1.0] * len(objects))
    predicted['masks'] = np.stack([filled(o['bbox'], seg_map.shape) for o in objects])
    return {
        'pred_instances': predicted,
        'gt_mask_instances': true.to_dict(),
        'gt_sem_seg': {'sem_seg': seg_map[None]},
    }


def test_filled_boxes_give_the_recorded_figures():
    dataset = VOCInstanceDataset(
        data_root=str(Path(os.environ['VOC12MINI_ROOT']) / 'VOCdevkit' / 'VOC2012'),
        ann_file='ImageSets/Main/val.txt',
        supervision='full',
        test_mode=True,
    )
    samples = [sample_of(dataset.get_data_info(index)) for index in range(len(dataset))]
    figures = run(VOCInstanceMetric(ignore_void=True), samples, dataset.metainfo['classes'])
    recorded = {
        'segm_mAP_25': 0.913,
        'segm_mAP_50': 0.539,
        'segm_mAP_75': 0.155,
        'segm_ABO': 0.583,
    }
    assert {name: round(figures[name], 3) for name in recorded} == recorded
