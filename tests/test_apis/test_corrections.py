"""Corrected labels of some images in the training data of a config."""

import json

import numpy as np
import pytest
from mmengine.config import Config

from mmlabelpenet.apis import Layout, export_ground_truth
from mmlabelpenet.apis.corrections import use_corrections
from mmlabelpenet.registry import DATASETS
from mmlabelpenet.utils import UserError

from .conftest import CLASSES


@pytest.fixture
def corrected(config, proposals, tmp_path):
    """Write a COCO file with the true labels of two training images, changed by a function."""
    export_ground_truth(Config.fromfile(config), Layout(str(tmp_path)))
    path = tmp_path / 'annotations/instances_train.json'

    def write(change=lambda content: None):
        content = json.loads(path.read_text())
        content['images'] = content['images'][:2]
        kept = {one['id'] for one in content['images']}
        every = content['annotations']
        content['annotations'] = [one for one in every if one['image_id'] in kept]
        change(content)
        written = tmp_path / 'corrected.json'
        written.write_text(json.dumps(content))
        return str(written), content

    return write


def train_data(config, path, classes=CLASSES):
    cfg = Config.fromfile(config)
    assert use_corrections(cfg, path, classes).startswith('2 of 4 photos have corrected labels')
    return DATASETS.build(cfg.train_dataloader.dataset)


def test_corrected_images_bring_their_labels_and_others_their_tags(config, corrected):
    path, content = corrected(lambda content: content['annotations'].pop(0))
    dataset = train_data(config, path)
    for index, entry in enumerate(content['images']):
        info, sample = dataset.get_data_info(index), dataset[index]['data_samples']
        assert info['file_name'] == entry['file_name']
        own = [one for one in content['annotations'] if one['image_id'] == entry['id']]
        labels = [one['category_id'] - 1 for one in own]
        assert sample.corrected
        assert np.flatnonzero(sample.tags).tolist() == sorted({*labels})
        truth = sample.gt_instances
        assert truth.labels.tolist() == labels
        assert len(truth.masks) == len(labels)
        assert truth.weights.tolist() == [1] * len(labels)
    other = dataset[2]['data_samples']
    assert 'corrected' not in other
    assert len(other.gt_instances) == 0
    assert np.flatnonzero(other.tags).tolist() == dataset.get_data_info(2)['tags']


def test_labels_move_with_their_image(config, corrected):
    path, content = corrected()
    dataset = train_data(config, path)
    for index, entry in enumerate(content['images']):
        own = [one for one in content['annotations'] if one['image_id'] == entry['id']]
        sample = dataset[index]['data_samples']
        scale = sample.img_shape[1] / entry['width']
        truth = sample.gt_instances
        for one, box, mask in zip(own, truth.bboxes.tensor, truth.masks):
            assert (box[2] - box[0]).item() == pytest.approx(one['bbox'][2] * scale, rel=0.01)
            columns = np.flatnonzero(np.asarray(mask).any(0))
            assert abs(columns[0] - box[0].item()) <= 1 + scale


def rename_class(content):
    content['categories'][0]['name'] = 'starr'


def rename_image(content):
    content['images'][0]['file_name'] = 'other.jpg'


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (rename_class, "class 'starr', which .* did you mean 'star'"),
        (rename_image, 'labels of other, which is the name of 0 training photos'),
    ],
)
def test_other_classes_and_images_are_refused(config, corrected, change, message):
    path, _ = corrected(change)
    with pytest.raises(UserError, match=message):
        train_data(config, path)
