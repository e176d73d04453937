import numpy as np
import pytest
from PIL import Image

from mmlabelpenet.datasets import LoadTrueInstances, ShapesDataset
from mmlabelpenet.utils import UserError


def results_of(tmp_path, instances, classes, ids):
    """An image of 20 x 40 with these objects and, where given, these maps."""
    results = {'img_path': 'p.jpg', 'img_shape': (20, 40), 'instances': instances}
    if classes is not None:
        for name, values in (('seg_map_path', classes), ('instance_map_path', ids)):
            results[name] = str(tmp_path / f'{name}.png')
            Image.fromarray(values.astype(np.uint8)).save(results[name])
        results['seg_label_map'] = [0, 1, 2]
    return results


def box(bbox, label, difficult=0):
    return {'bbox': bbox, 'bbox_label': label, 'ignore_flag': difficult}


def maps():
    """Two masks side by side, the first of class 1 with a line of void, the second of class 0."""
    classes, ids = np.zeros((20, 40)), np.zeros((20, 40))
    classes[2:12, 4:14], ids[2:12, 4:14] = 2, 1
    classes[2, 4:14] = ids[2, 4:14] = 255
    classes[5:15, 20:30], ids[5:15, 20:30] = 1, 2
    return classes, ids


def test_each_box_gets_the_mask_of_its_class_with_the_largest_overlap(tmp_path):
    instances = [box([20, 5, 29, 14], 0), box([4, 2, 13, 11], 1), box([0, 0, 9, 9], 0, 1)]
    out = LoadTrueInstances()(results_of(tmp_path, instances, *maps()))
    assert out['gt_bboxes'].tensor.tolist() == [[20, 5, 30, 15], [4, 2, 14, 12]]
    assert out['gt_bboxes_labels'].tolist() == [0, 1]
    first, second = out['gt_masks'].masks
    assert (first[5:15, 20:30] == 1).all()
    assert (first == 1).sum() == 100
    assert (second[3:12, 4:14] == 1).all()
    assert (second[2, 4:14] == 255).all()
    assert (second == 255).sum() == 10


@pytest.mark.parametrize('label', [0, 1])
def test_a_box_without_a_matching_mask_has_an_unknown_one(tmp_path, label):
    far = [30, 0, 39, 4] if label == 0 else [20, 5, 29, 14]  # elsewhere, or of another class
    out = LoadTrueInstances()(results_of(tmp_path, [box(far, label)], *maps()))
    assert (out['gt_masks'].masks == 255).all()
    bare = LoadTrueInstances()(results_of(tmp_path, [box(far, label)], None, None))
    assert (bare['gt_masks'].masks == 255).all()


def test_boxes_and_masks_are_transformed_with_the_image(shapes):
    pipeline = [
        dict(type='LoadImageFromFile'),
        dict(type='LoadTrueInstances'),
        dict(type='Resize', scale=(160, 128), keep_ratio=True),
        dict(type='RandomFlip', prob=1.0),
        dict(type='PackWeakInputs'),
    ]
    dataset = ShapesDataset(shapes, supervision='full', pipeline=pipeline)
    for sample in (dataset[index]['data_samples'] for index in range(len(dataset))):
        true = sample.gt_instances
        for bbox, mask in zip(true.bboxes.tensor, true.masks.masks):
            rows, columns = np.nonzero(mask == 1)
            tight = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
            assert np.abs(bbox.numpy() - tight).max() <= 2


def test_tag_supervision_is_refused(shapes):
    dataset = ShapesDataset(shapes, pipeline=[])
    with pytest.raises(UserError, match="supervision='full'"):
        LoadTrueInstances()(dict(dataset[0], img_shape=(64, 64)))
