import copy
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from pycocotools import mask as mask_utils

from mmlabelpenet.apis import read_config
from mmlabelpenet.apis.exporting import Layout, export_ground_truth
from mmlabelpenet.datasets import COCOInstanceDataset, ShapesDataset
from mmlabelpenet.registry import DATASETS
from mmlabelpenet.utils import UserError

from .conftest import store_boxes
from .zoo import CONTENT, PIPELINE, infos, load, write

CONFIG = str(Path(__file__).parents[2] / 'configs/_base_/datasets/coco.py')


def test_tags_come_from_annotations_and_classes_from_the_file(root):
    dataset = load(root)
    assert dataset.metainfo['classes'] == ('train', 'dog')
    found = infos(dataset)
    assert [info['tags'] for info in found] == [[1], [0], []]
    # With crowds only, it is unknown whether there is a single object.
    assert [info['ignored_tags'] for info in found] == [[0], [], []]
    assert [info['img_id'] for info in found] == [139, 5, 6]
    assert [info['photo_id'] for info in found] == ['photos/000139', 'photos/sub/5', 'photos/6']
    assert found[1]['img_path'] == str(root / 'photos/sub/5.png')
    assert {info['dataset_name'] for info in found} == {'zoo'}
    assert not any('instances' in info for info in found)


def test_training_does_not_depend_on_boxes_and_masks(root):
    before = infos(load(root))
    content = copy.deepcopy(CONTENT)
    for one in content['annotations']:
        one.update(bbox='nonsense', segmentation=[None, 7], area='x')
    write(root, content)
    assert infos(load(root)) == before
    for one in content['annotations']:
        del one['bbox'], one['segmentation']
    write(root, content)
    assert infos(load(root)) == before


def test_without_supervision_there_are_no_tags(root):
    assert [info['tags'] for info in infos(load(root, supervision='none'))] == [[], [], []]


def test_boxes_are_inclusive_and_crowds_flagged(root):
    first = infos(load(root, supervision='full'))[0]
    assert [one['bbox'] for one in first['instances']] == [
        [2, 1, 11, 10],
        [4, 3, 5, 5],
        [10, 0, 19, 11],
    ]
    assert [one['ignore_flag'] for one in first['instances']] == [0, 0, 1]
    assert [one['bbox_label'] for one in first['instances']] == [1, 1, 0]


def test_polygons_and_run_lengths_become_masks(root):
    samples = [one['data_samples'] for one in load(root, supervision='full', pipeline=PIPELINE)]
    masks = samples[0].gt_mask_instances
    assert masks.labels.tolist() == [1, 1]
    assert masks.bboxes.tolist() == [[2, 1, 12, 11], [4, 3, 6, 6]]
    assert [int(mask_utils.area(mask)) for mask in masks.masks] == [100, 6]
    seg_map = samples[0].gt_sem_seg.sem_seg[0]
    # Dog is 2; the crowd of trains is void, but smaller objects are above it.
    assert (seg_map[0] == torch.tensor([0] * 10 + [255] * 10)).all()
    assert (seg_map[5] == torch.tensor([0] * 2 + [2] * 10 + [255] * 8)).all()
    # An image without objects has an empty set of masks.
    assert len(samples[2].gt_mask_instances.masks) == len(samples[2].gt_instances) == 0
    assert samples[2].gt_sem_seg.sem_seg.unique().tolist() == [0]


def test_a_file_without_masks_is_measured_by_boxes(root):
    content = copy.deepcopy(CONTENT)
    for one in content['annotations']:
        del one['segmentation']
    write(root, content)
    sample = load(root, supervision='full', pipeline=PIPELINE)[0]['data_samples']
    assert 'gt_mask_instances' not in sample
    assert len(sample.gt_instances) == 2


def test_some_classes_in_another_order(root):
    dataset = load(root, supervision='full', metainfo={'classes': ['dog']})
    assert [info['tags'] for info in infos(dataset)] == [[0], [], []]
    assert [len(info['instances']) for info in infos(dataset)] == [2, 0, 0]
    with pytest.raises(UserError, match="has no class 'cat': choose from train, dog"):
        load(root, metainfo={'classes': ['cat']})


def test_the_config_has_the_number_of_classes_and_gives_samples(root, tmp_path):
    (root / 'annotations').mkdir()
    for split in ('train', 'val'):
        (root / f'annotations/instances_{split}2017.json').write_text(json.dumps(CONTENT))
        (root / f'{split}2017').symlink_to(root / 'photos')
    child = tmp_path / 'zoo.py'
    child.write_text(
        f'_base_ = {CONFIG!r}\ndata_root = {str(root)!r}\nmodel = dict(num_classes=80)\n'
    )
    cfg = read_config(str(child), {'proposal_root': str(tmp_path / 'proposals')})
    assert cfg.model.num_classes == 2
    for name in ('train', 'val', 'test', 'corloc'):
        dataset = cfg[f'{name}_dataloader'].dataset
        for info in infos(DATASETS.build({**dataset, 'pipeline': []})):
            named = {'dataset_name': 'zoo', 'img_id': info['photo_id']}
            store_boxes(tmp_path / 'proposals', named, (12, 20), np.array([[0, 0, 9, 9]]))
        samples = list(DATASETS.build(dataset))
        assert len(samples) == 3
        assert all(len(one['data_samples'].proposals) == 1 for one in samples)
    assert (tmp_path / 'proposals/zoo/train2017/sub/5.npz').exists()


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        ({'images': 7}, r'a\.json has no list of images: take'),
        ({'images': [{'id': 1}]}, 'has no file_name of the photo 1: write it'),
        ({'categories': None}, r'a\.json has no list of categories: take'),
        ({'images': CONTENT['images'][1:]}, r'annotates the photo 139 \(1 in all\)'),
        (
            {
                'images': [
                    *CONTENT['images'],
                    {**CONTENT['images'][0], 'id': 1, 'file_name': 'no.png'},
                ]
            },
            r'photos/no\.png is missing \(1 of 4',
        ),
    ],
)
def test_broken_files_are_named(root, change, message):
    write(root, {**CONTENT, **change})
    with pytest.raises(UserError, match=message):
        load(root)


def test_missing_files_and_bad_masks_are_named(root):
    with pytest.raises(UserError, match=r'b\.json cannot be read as a COCO JSON file'):
        COCOInstanceDataset(str(root), 'b.json')
    (root / 'a.json').write_text('{')
    with pytest.raises(UserError, match=r'a\.json cannot be read as a COCO JSON file'):
        load(root)
    content = copy.deepcopy(CONTENT)
    content['annotations'][0]['segmentation'] = [[1, 2]]
    write(root, content)
    with pytest.raises(
        UserError, match='annotation number 1 has a polygon of fewer than 3 points'
    ):
        load(root, supervision='full', pipeline=PIPELINE)[0]


@pytest.mark.parametrize('segmentation', ['rle', 'polygon'])
def test_exported_masks_are_read_unchanged(shapes, tmp_path, segmentation):
    """Shapes as a VOC devkit and, exported by this package, as COCO JSON are the same data set."""
    full = {'type': 'ShapesDataset', 'data_root': str(shapes), 'supervision': 'full'}
    cfg = Config(dict(corloc_dataloader=dict(dataset=full)))
    cfg.test_dataloader = dict(dataset={**full, 'pipeline': PIPELINE})
    export_ground_truth(cfg, Layout(str(tmp_path / 'coco'), segmentation=segmentation))
    (path,) = (tmp_path / 'coco' / 'annotations').glob('*.json')
    image_root = json.loads(path.read_text())['info']['photo_root']
    coco = COCOInstanceDataset(
        data_root=str(tmp_path / 'coco'),
        ann_file=str(path),
        data_prefix={'img': image_root},
        supervision='full',
        pipeline=PIPELINE,
    )
    voc = ShapesDataset(data_root=str(shapes), supervision='full', pipeline=PIPELINE)
    assert coco.metainfo['classes'] == voc.metainfo['classes']
    assert len(coco) == len(voc) == 4
    # Images outside data_root: the name of their folder is used.
    assert coco.get_data_info(0)['photo_id'] == 'JPEGImages/train_00000'
    for one, other in zip(coco, voc):
        samples = one['data_samples'], other['data_samples']
        found, true = (sample.gt_mask_instances for sample in samples)
        assert torch.equal(one['inputs'], other['inputs'])
        assert torch.equal(*(sample.tags for sample in samples))
        assert found.labels.tolist() == true.labels.tolist()
        np.testing.assert_array_equal(
            mask_utils.decode(found.masks), mask_utils.decode(true.masks)
        )
        assert torch.equal(*(sample.gt_sem_seg.sem_seg for sample in samples))
        # Both include the first and the last pixel; ids follow the order of the XML.
        assert torch.equal(*(sample.gt_instances.bboxes.tensor for sample in samples))
