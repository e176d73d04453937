import logging

import numpy as np
import pytest
import torch
from mmdet.structures import DetDataSample
from mmengine.evaluator import Evaluator
from mmengine.structures import InstanceData
from pycocotools.coco import COCO

from mmlabelpenet.export import InstanceExport
from mmlabelpenet.utils import UserError, register_all_modules

from .conftest import CLASSES


@pytest.fixture
def sample(write_image):
    """An image with a dog, a chair and a cat, tagged dog and cat."""
    masks = torch.zeros(3, 30, 40, dtype=torch.bool)
    masks[0, 2:10, 3:20] = masks[1, 10:20, 3:20] = masks[2, 5:25, 25:35] = True
    one = DetDataSample(
        metainfo=dict(
            img_id='a',
            img_path=str(write_image('a.jpg')),
            ori_shape=(30, 40),
            dataset_name='Photos',
        )
    )
    one.pred_instances = InstanceData(
        bboxes=torch.tensor([[3.0, 2, 20, 10], [3, 10, 20, 20], [25, 5, 35, 25]]),
        labels=torch.tensor([0, 1, 2]),
        scores=torch.tensor([0.9, 0.8, 0.4]),
        masks=masks,
    )
    one.tags = torch.tensor([1.0, 0, 1])
    one.ignored_tags = torch.zeros(3)
    return one


def run(metric, *samples, size=None):
    register_all_modules()
    evaluator = Evaluator([metric])
    evaluator.dataset_meta = dict(classes=CLASSES)
    evaluator.process(data_samples=list(samples), data_batch=None)
    return evaluator.evaluate(size or len(samples))


def test_a_tested_batch_becomes_a_file_and_two_numbers(sample, tmp_path):
    figures = run(InstanceExport(str(tmp_path / 'out')), sample)
    assert figures == {'photos': 1, 'instances': 2}
    coco = COCO(str(tmp_path / 'out/annotations/instances_train.json'))
    assert [one['category_id'] for one in coco.loadAnns([1, 2])] == [1, 3]
    mask = coco.annToMask(coco.loadAnns([2])[0])
    np.testing.assert_array_equal(mask, sample.pred_instances.masks[2])


def test_images_that_pad_the_shard_of_a_process_are_written_once(sample, tmp_path):
    figures = run(InstanceExport(str(tmp_path / 'out')), sample, sample, size=1)
    assert figures == {'photos': 1, 'instances': 2}


def test_an_export_of_nothing_is_warned_of(sample, tmp_path, monkeypatch):
    told = []

    def note(message, logger, level=logging.INFO):
        told.extend([message] if level == logging.WARNING else [])

    monkeypatch.setattr('mmlabelpenet.export.metric.print_log', note)
    assert run(InstanceExport(str(tmp_path)), sample)['instances'] == 2
    assert told == []
    run(InstanceExport(str(tmp_path), selection=dict(score_thr=1)), sample)
    assert told[0].startswith('No instance has a score of 1')


def test_an_unknown_format_is_told(tmp_path):
    with pytest.raises(UserError, match="does not know 'csv'; it knows coco, voc, yolo"):
        InstanceExport(str(tmp_path), format='csv')
