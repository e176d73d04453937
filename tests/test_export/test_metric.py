import logging

import numpy as np
import pytest
import torch
from mmdet.structures import DetDataSample
from mmengine.evaluator import Evaluator
from mmengine.structures import InstanceData
from pycocotools.coco import COCO

from mmlabelpenet.apis import Layout
from mmlabelpenet.export import InstanceCollector, image_reader, write_images
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
    collector = InstanceCollector()
    assert run(collector, sample) == {'photos': 1, 'instances': 2}
    read = image_reader(dict(type='LoadImageFromFile'))
    path = write_images(collector.images, CLASSES, str(tmp_path / 'out'), 'coco', read)
    assert path == str(tmp_path / 'out/annotations/instances_train.json')
    coco = COCO(path)
    assert [one['category_id'] for one in coco.loadAnns([1, 2])] == [1, 3]
    mask = coco.annToMask(coco.loadAnns([2])[0])
    np.testing.assert_array_equal(mask, sample.pred_instances.masks[2])


def test_images_that_pad_the_shard_of_a_process_are_written_once(sample):
    collector = InstanceCollector()
    assert run(collector, sample, sample, size=1) == {'photos': 1, 'instances': 2}
    assert [image.img_id for image in collector.images] == ['a']


def test_an_export_of_nothing_is_warned_of(sample, monkeypatch):
    warnings = []

    def note(message, logger, level=logging.INFO):
        warnings.extend([message] if level == logging.WARNING else [])

    monkeypatch.setattr('mmlabelpenet.export.metric.print_log', note)
    assert run(InstanceCollector(), sample)['instances'] == 2
    assert warnings == []
    run(InstanceCollector(selection=dict(score_thr=1)), sample)
    assert warnings[0].startswith('No instance has a score of 1')


def test_unknown_formats_are_reported_before_anything_else(tmp_path):
    with pytest.raises(UserError, match="does not know 'csv'; it knows coco, voc, yolo"):
        Layout(str(tmp_path), ['coco', 'csv'])
    with pytest.raises(UserError, match="does not know 'dots'; it knows rle, polygon"):
        Layout(str(tmp_path), segmentation='dots')
