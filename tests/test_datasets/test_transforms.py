import numpy as np
import pytest
import torch
from mmengine.registry import TRANSFORMS
from PIL import Image
from pycocotools import mask as mask_utils

from mmlabelpenet.datasets import (
    LoadInstanceMasks,
    LoadRegionProposals,
    PackWeakInputs,
    ShapesDataset,
)
from mmlabelpenet.datasets.devkit import write_mask
from mmlabelpenet.datasets.transforms.masks import split_instances
from mmlabelpenet.utils import UserError

from .conftest import store_boxes

BOXES = np.array([[0, 0, 40, 20], [10, 4, 30, 16]])


def load_image(tmp_path, boxes=BOXES, height=20, width=40, flip=1.0, scale=(80, 40), **broadcast):
    """Load an image and its proposals by the pipeline of the configs."""
    info = {'img_id': 'p', 'dataset_name': 'Set', 'img_path': str(tmp_path / 'p.png')}
    info.update(num_classes=3, tags=[2], ignored_tags=[0])
    img = np.random.default_rng(0).integers(0, 255, (height, width, 3), dtype=np.uint8)
    Image.fromarray(img).save(info['img_path'])
    store_boxes(tmp_path, info, (height, width), boxes)
    pipeline = [
        {'type': 'LoadImageFromFile'},
        {'type': 'LoadRegionProposals', 'proposal_root': str(tmp_path)},
        {
            'type': 'ProposalBroadcaster',
            'transforms': [
                {'type': 'Resize', 'scale': scale, 'keep_ratio': True},
                {'type': 'RandomFlip', 'prob': flip},
            ],
            **broadcast,
        },
        {'type': 'PackWeakInputs'},
    ]
    for transform in pipeline:
        info = TRANSFORMS.build(transform)(info)
    return info


def test_proposals_follow_the_image_through_resize_and_flip(tmp_path):
    packed = load_image(tmp_path)
    sample = packed['data_samples']
    assert packed['inputs'].shape == (3, 40, 80)
    # Twice as large, then x -> 80 - x.
    expected = torch.tensor([[0.0, 0, 80, 40], [20, 8, 60, 32]])
    torch.testing.assert_close(sample.proposals.bboxes, expected)
    assert sample.proposals.scores.tolist() == [0, 0]
    assert (sample.flip, sample.img_id, sample.dataset_name) == (True, 'p', 'Set')


# Twice as large: sides of 80 x 40, 40 x 24 and 10 x 40.
@pytest.mark.parametrize(
    ('least', 'kept'), [(0, [0, 1, 2]), (10, [0, 1, 2]), (11, [0, 1]), (24.5, [0]), (41, [])]
)
def test_proposals_are_left_out_by_their_shorter_side_in_the_network_input(tmp_path, least, kept):
    boxes = np.array([*BOXES, [5, 0, 10, 20]])
    loaded = load_image(tmp_path, boxes, flip=0.0, min_bbox_size=least)['data_samples']
    assert loaded.proposals.bboxes.tolist() == (2 * boxes[kept]).tolist()
    assert len(loaded.proposals.scores) == len(kept)


def test_by_default_no_proposal_is_left_out(tmp_path):
    specks = np.array([[0, 0, 1, 1], [3, 3, 4, 20]])
    assert len(load_image(tmp_path, specks)['data_samples'].proposals) == 2


def test_tags_become_multi_hot(tmp_path):
    sample = load_image(tmp_path)['data_samples']
    assert sample.tags.tolist() == [0, 0, 1]
    assert sample.ignored_tags.tolist() == [1, 0, 0]
    assert sample.tags.dtype == torch.float32


@pytest.mark.parametrize('boxes', [BOXES[:1], np.zeros((0, 4))])
def test_one_proposal_and_none(tmp_path, boxes):
    bboxes = load_image(tmp_path, boxes)['data_samples'].proposals.bboxes
    assert bboxes.shape == (len(boxes), 4)
    assert bboxes.dtype == torch.float32


def test_a_tiny_image_is_enlarged_with_its_proposal(tmp_path):
    packed = load_image(tmp_path, np.array([[0, 0, 8, 6]]), 6, 8, flip=0.0, scale=(64, 48))
    assert packed['inputs'].shape == (3, 48, 64)
    assert packed['data_samples'].proposals.bboxes.tolist() == [[0, 0, 64, 48]]


def test_a_grey_image_has_three_channels(tmp_path):
    info = {'img_path': str(tmp_path / 'g.png'), 'img_id': 'g', 'dataset_name': 'Set'}
    Image.fromarray(np.full((20, 40), 77, np.uint8)).save(info['img_path'])
    packed = PackWeakInputs(num_classes=2)(TRANSFORMS.build({'type': 'LoadImageFromFile'})(info))
    assert packed['inputs'].shape == (3, 20, 40)
    assert packed['inputs'].unique().tolist() == [77]
    assert packed['data_samples'].tags.tolist() == [0, 0]


def test_max_num_selects_the_first(tmp_path):
    info = {'img_id': 'p', 'dataset_name': 'Set', 'ori_shape': (20, 40)}
    store_boxes(tmp_path, info, (20, 40), BOXES)
    loaded = LoadRegionProposals(str(tmp_path), max_num=1)(info)
    np.testing.assert_array_equal(loaded['proposals'], BOXES[:1])


def test_proposals_of_another_size_or_none_are_refused(tmp_path):
    info = {'img_id': 'p', 'dataset_name': 'Set', 'ori_shape': (40, 20)}
    with pytest.raises(UserError, match=r'no proposals at .*Set/p\.npz'):
        LoadRegionProposals(str(tmp_path))(info)
    store_boxes(tmp_path, info, (20, 40), BOXES)
    with pytest.raises(UserError, match='made for a photo of 40 x 20'):
        LoadRegionProposals(str(tmp_path))(info)


def test_instances_are_split_by_id_and_classed_by_majority():
    instance_map = np.zeros((6, 8), np.uint8)
    instance_map[1:4, 2:5] = 7
    instance_map[4:6, 6:8] = 2
    instance_map[0, :] = 255
    seg_map = np.zeros((6, 8), np.uint8)
    seg_map[1:4, 2:5] = 3
    seg_map[1, 2:5] = 255
    seg_map[2, 2] = 1
    seg_map[4:6, 6:8] = 2
    found = split_instances(instance_map, seg_map)
    assert found.labels.tolist() == [1, 2]
    # x2 and y2 are exclusive, so that the boxes' areas are those of the squares.
    assert found.bboxes.tolist() == [[6, 4, 8, 6], [2, 1, 5, 4]]
    np.testing.assert_array_equal(mask_utils.decode(found.masks[1]), instance_map == 7)


def test_instances_of_dropped_classes_and_empty_maps_give_none():
    ones = np.ones((4, 4), np.uint8)
    for found in (split_instances(ones, 0 * ones), split_instances(0 * ones, 0 * ones)):
        assert found.labels.shape == (0,)
        assert found.bboxes.shape == (0, 4)
        assert len(found.masks) == 0


def test_class_values_are_mapped_except_void(tmp_path):
    Image.fromarray(np.array([[0, 1, 2, 255]], np.uint8)).save(tmp_path / 'class.png')
    Image.fromarray(np.array([[0, 1, 2, 255]], np.uint8)).save(tmp_path / 'object.png')
    results = {
        'seg_map_path': str(tmp_path / 'class.png'),
        'instance_map_path': str(tmp_path / 'object.png'),
        'seg_label_map': [0, 0, 1],
    }
    loaded = LoadInstanceMasks()(dict(results))
    assert loaded['gt_seg_map'].tolist() == [[0, 0, 1, 255]]
    assert loaded['gt_mask_instances'].labels.tolist() == [0]
    (tmp_path / 'object.png').write_bytes(b'nonsense')
    with pytest.raises(UserError, match=r'object\.png cannot be read as a mask'):
        LoadInstanceMasks()(dict(results))


def test_ground_truth_of_shapes_keeps_the_size_of_the_image(shapes, tmp_path):
    pipeline = [
        {'type': 'LoadImageFromFile'},
        {'type': 'Resize', 'scale': (200, 200), 'keep_ratio': True},
        {'type': 'LoadAnnotations', 'with_bbox': True},
        {'type': 'LoadInstanceMasks'},
        {'type': 'PackWeakInputs'},
    ]
    dataset = ShapesDataset(data_root=str(shapes), supervision='full', pipeline=pipeline)
    for packed in dataset:
        sample = packed['data_samples']
        masks = sample.gt_mask_instances
        boxes = sample.gt_instances.bboxes.tensor
        # XML boxes are inclusive, tight boxes of masks are not; ids follow the XML.
        torch.testing.assert_close(boxes + torch.tensor([0, 0, 1, 1]), masks.bboxes)
        assert masks.labels.tolist() == sample.gt_instances.labels.tolist()
        assert masks.masks[0]['size'] == list(sample.ori_shape)
        assert sample.gt_sem_seg.sem_seg.shape == (1, *sample.ori_shape)
        classes = {label + 1 for label in masks.labels.tolist()}
        assert set(sample.gt_sem_seg.sem_seg.unique().tolist()) == {0} | classes
        assert sample.tags.nonzero().flatten().tolist() == sorted(c - 1 for c in classes)


@pytest.mark.parametrize('kind', ['palette', 'grey', 'RGB', 'RGBA', '16 bits'])
def test_masks_are_read_in_every_form_of_one_meaning(tmp_path, kind):
    classes = np.array([[0, 1, 2, 255, 2], [0, 1, 2, 255, 2]], np.uint8)
    objects = np.array([[0, 3, 9, 255, 8], [0, 3, 9, 255, 8]], np.uint8)
    results = {'seg_label_map': [0, 1, 2], 'ori_shape': (2, 5)}
    for key, values in (('seg_map_path', classes), ('instance_map_path', objects)):
        results[key] = str(tmp_path / f'{key}.png')
        write_mask(results[key], values)
        expected = LoadInstanceMasks()(dict(results)) if key == 'instance_map_path' else None
    for key, values in (('seg_map_path', classes), ('instance_map_path', objects)):
        with Image.open(results[key]) as mask:
            changed = mask.convert(kind) if kind in ('RGB', 'RGBA') else mask.copy()
        if kind == 'grey':
            changed = Image.fromarray(values)
        elif kind == '16 bits' and key == 'instance_map_path':
            # 255 is an object's number here, void what the class mask says.
            changed = Image.fromarray(np.array([[0, 255, 700, 65535, 600]] * 2, np.uint16))
        changed.save(results[key])
    found = LoadInstanceMasks()(dict(results))
    np.testing.assert_array_equal(found['gt_seg_map'], expected['gt_seg_map'])
    found, expected = found['gt_mask_instances'], expected['gt_mask_instances']
    assert found.labels.tolist() == expected.labels.tolist() == [0, 1, 1]
    assert found.masks == expected.masks
    assert found.bboxes.tolist() == expected.bboxes.tolist()


@pytest.mark.parametrize(('labels', 'said'), [([0, 1], 0), ([1], 1), ([0], 1)])
def test_a_class_of_the_masks_without_a_box_is_said(tmp_path, monkeypatch, labels, said):
    told = []
    monkeypatch.setattr(
        'mmlabelpenet.datasets.transforms.masks.warn_of_first', lambda *one: told.append(one)
    )
    values = np.array([[0, 1, 2, 255, 0], [0, 1, 2, 255, 0]], np.uint8)
    results = {'seg_label_map': [0, 1, 2], 'ori_shape': (2, 5)}
    for key in ('seg_map_path', 'instance_map_path'):
        results[key] = str(tmp_path / f'{key}.png')
        write_mask(results[key], values)
    results['instances'] = [
        {'bbox': [label + 1, 0, label + 1, 1], 'bbox_label': label, 'ignore_flag': 0}
        for label in labels
    ]
    LoadInstanceMasks()(results)
    assert len(told) == said
    assert not told or 'shows a class of which the photo has no box' in told[0][0]
