import builtins
import io
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config

from mmlabelpenet.apis import read_config
from mmlabelpenet.datasets import ShapesDataset
from mmlabelpenet.registry import DATASETS
from mmlabelpenet.utils import UserError

from .conftest import store_boxes

CONFIG = Path(__file__).parents[2] / 'configs' / '_base_' / 'datasets' / 'shapes.py'
ANNOTATIONS = ('Annotations', 'SegmentationClass', 'SegmentationObject')


@pytest.fixture
def cfg(shapes, tmp_path):
    """The Shapes config on generated images with a proposal each."""
    for split in ('train', 'val'):
        dataset = ShapesDataset(
            data_root=str(shapes), ann_file=f'ImageSets/Main/{split}.txt', supervision='full'
        )
        for index in range(len(dataset)):
            info = dataset.get_data_info(index)
            shape = (info['height'], info['width'])
            store_boxes(tmp_path / 'proposals', info, shape, np.array([[0, 0, 30, 20]]))
    roots = {'data_root': str(shapes), 'proposal_root': str(tmp_path / 'proposals')}
    return read_config(str(CONFIG), roots)


def training_samples(cfg):
    """The samples of a training epoch, with a fixed seed for flips."""
    np.random.seed(0)
    return list(DATASETS.build(cfg.train_dataloader.dataset))


def test_training_samples_do_not_depend_on_xml_files_and_masks(cfg, shapes):
    before = training_samples(cfg)
    files = [path for folder in ANNOTATIONS for path in (shapes / folder).iterdir()]
    assert len(files) == 3 * 6
    for path in files:
        path.write_bytes(b'\x00nonsense\xff' * 7)
    after = training_samples(cfg)
    assert len(before) == len(after) == 4
    for one, other in zip(before, after):
        assert torch.equal(one['inputs'], other['inputs'])
        assert str(one['data_samples'].metainfo) == str(other['data_samples'].metainfo)
        assert torch.equal(one['data_samples'].tags, other['data_samples'].tags)
        boxes = [sample['data_samples'].proposals.bboxes for sample in (one, other)]
        assert torch.equal(*boxes)
    with pytest.raises(UserError, match='cannot be read as a VOC annotation'):
        DATASETS.build(cfg.corloc_dataloader.dataset)


def test_training_opens_no_xml_file_or_mask(cfg, monkeypatch):
    opened = []
    real = io.open

    def record(file, *args, **kwargs):
        opened.append(str(file))
        return real(file, *args, **kwargs)

    monkeypatch.setattr(builtins, 'open', record)
    monkeypatch.setattr(io, 'open', record)
    training_samples(cfg)
    assert any('ImageSets' in path for path in opened)
    assert not any(folder in path for path in opened for folder in ANNOTATIONS)


def test_training_samples_have_only_tags(cfg):
    for packed in training_samples(cfg):
        sample = packed['data_samples']
        assert len(sample.gt_instances) == 0
        assert 'gt_mask_instances' not in sample
        assert 'gt_sem_seg' not in sample
        assert sample.tags.sum() >= 1


def test_every_loader_of_the_config_gives_samples(cfg):
    for name in ('val', 'test', 'corloc'):
        for packed in DATASETS.build(cfg[f'{name}_dataloader'].dataset):
            sample = packed['data_samples']
            assert len(sample.gt_instances) == len(sample.gt_mask_instances) >= 1
            assert len(sample.proposals) == 1


@pytest.mark.parametrize('name', ['shapes', 'voc12_mini', 'voc12', 'voc12_aug', 'voc07', 'coco'])
def test_training_configs_ask_for_tags_and_corloc_for_the_same_images(name, monkeypatch):
    monkeypatch.setenv('VOC12MINI_ROOT', '/somewhere')
    cfg = Config.fromfile(CONFIG.with_name(f'{name}.py'))
    train = cfg.train_dataloader.dataset
    assert train.supervision == 'tags'
    assert cfg.corloc_dataloader.dataset.ann_file == train.ann_file
    assert cfg.corloc_dataloader.dataset.supervision == 'full'
    assert cfg.test_dataloader.dataset.ann_file != train.ann_file
    if name == 'voc12_mini':
        assert train.data_root == '/somewhere/VOCdevkit/VOC2012'
