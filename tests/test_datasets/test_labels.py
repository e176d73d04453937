import json

import numpy as np
import pytest
from mmdet.structures.bbox import HorizontalBoxes
from mmdet.structures.mask import BitmapMasks
from pycocotools import mask as mask_api

from mmlabelpenet.datasets import LoadLabels, OracleLabels
from mmlabelpenet.datasets.transforms.labels import Labels, match, one_of_each
from mmlabelpenet.utils import UserError

SIZE = (20, 40)
SMALL, LARGE, OTHER = (0, 0, 6, 6), (10, 0, 20, 10), (24, 8, 36, 20)
# One pseudo box is right, one far from its object, one of a class that is absent.
NEAR_LARGE, PART = (10, 0, 20, 8), (24, 8, 28, 12)


def rectangle(box, value=1):
    mask: np.ndarray = np.zeros(SIZE, dtype=np.uint8)
    mask[box[1] : box[3], box[0] : box[2]] = value
    return mask


def labels(*instances):
    """Each a class and a box, which its mask fills."""
    return Labels(
        np.array([box for _, box in instances], dtype=np.float32).reshape(-1, 4),
        np.array([label for label, _ in instances], dtype=np.int64),
        np.array([rectangle(box) for _, box in instances], dtype=np.uint8).reshape(-1, *SIZE),
        np.ones(len(instances), dtype=np.float32),
    )


TRUTH = labels((0, SMALL), (0, LARGE), (1, OTHER))


@pytest.fixture
def file(tmp_path):
    """Labels of two images, as the export writes them."""
    (tmp_path / 'a.jpg').touch()
    annotations = []
    for label, box, score in ((0, NEAR_LARGE, 0.75), (1, PART, 0.5), (2, SMALL, 0.25)):
        x1, y1, x2, y2 = box
        rle = mask_api.encode(np.asfortranarray(rectangle(box)))
        rle['counts'] = rle['counts'].decode()
        corners = dict(bbox=[x1, y1, x2 - x1, y2 - y1], segmentation=rle)
        annotations.append(dict(corners, image_id=1, category_id=label + 1, score=score))
    content = dict(
        info=dict(photo_root=str(tmp_path)),
        images=[dict(id=1, file_name='a.jpg'), dict(id=2, file_name='b.jpg')],
        annotations=annotations,
        categories=[dict(id=label + 1, name=name) for label, name in enumerate('abc')],
    )
    path = tmp_path / 'labels.json'
    path.write_text(json.dumps(content))
    return str(path)


def results_of(tmp_path, name='a.jpg', truth=TRUTH, **changes):
    place = dict(img_path=str(tmp_path / name), img_shape=SIZE, num_classes=3)
    return truth.fill(place | changes)


def instances_of(results):
    """Class, box and weight of each instance, and its mask."""
    found = [
        (int(label), tuple(map(int, box)), float(weight))
        for label, box, weight in zip(
            results['gt_bboxes_labels'], results['gt_bboxes'].numpy(), results['gt_weights']
        )
    ]
    return found, results['gt_masks'].masks


def test_labels_of_a_file_take_the_place_of_truth(file, tmp_path):
    results = dict(img_path=str(tmp_path / 'a.jpg'), img_shape=SIZE, num_classes=3)
    found, masks = instances_of(LoadLabels(file)(dict(results)))
    assert found == [(0, NEAR_LARGE, 1), (1, PART, 1), (2, SMALL, 1)]
    assert np.array_equal(masks, [rectangle(box) for box in (NEAR_LARGE, PART, SMALL)])
    found, _ = instances_of(LoadLabels(file, weighted=True)(dict(results)))
    assert [weight for *_, weight in found] == [0.75, 0.5, 0.25]
    filled = LoadLabels(file)(dict(results, img_path=str(tmp_path / 'b.jpg')))
    assert isinstance(filled['gt_bboxes'], HorizontalBoxes)
    assert isinstance(filled['gt_masks'], BitmapMasks)
    assert filled['gt_masks'].masks.shape == (0, *SIZE)
    assert len(filled['gt_bboxes']) == 0


@pytest.mark.parametrize('wrong', [dict(name='c.jpg'), dict(num_classes=4)])
def test_labels_of_other_images_or_classes_are_refused(file, tmp_path, wrong):
    with pytest.raises(UserError, match=r'has labels of 3 classes for 2 photos, not those of'):
        LoadLabels(file)(results_of(tmp_path, **wrong))


@pytest.mark.parametrize('content', ['{}', '[]', 'nonsense'])
def test_what_is_no_file_of_labels_is_refused(tmp_path, content):
    path = tmp_path / f'{len(content)}.json'
    path.write_text(content)
    with pytest.raises(UserError, match='export it by export_pseudo_labels'):
        LoadLabels(str(path))(results_of(tmp_path))


def test_o2_keeps_the_largest_object_of_each_class(tmp_path):
    found, masks = instances_of(OracleLabels('O2')(results_of(tmp_path)))
    assert found == [(0, LARGE, 1), (1, OTHER, 1)]
    assert np.array_equal(masks, TRUTH.masks[1:])


def test_o3_ignores_the_others_and_has_them_last(tmp_path):
    found, masks = instances_of(OracleLabels('O3')(results_of(tmp_path)))
    assert found == [(0, LARGE, 1), (1, OTHER, 1), (0, SMALL, 0)]
    assert np.array_equal(masks, TRUTH.masks[[1, 2, 0]])


def test_o4_keeps_right_labels(file, tmp_path):
    found, _ = instances_of(OracleLabels('O4', file)(results_of(tmp_path)))
    assert found == [(0, NEAR_LARGE, 1)]


def test_o5_moves_right_labels_to_their_object(file, tmp_path):
    found, masks = instances_of(OracleLabels('O5', file)(results_of(tmp_path)))
    assert found == [(0, LARGE, 1), (1, PART, 1), (2, SMALL, 1)]
    assert np.array_equal(masks[0], rectangle(LARGE))
    assert np.array_equal(masks[1], rectangle(PART))


def test_o6_has_true_boxes_and_the_masks_of_the_labels(file, tmp_path):
    truth = labels((0, SMALL), (0, (10, 0, 20, 4)), (1, OTHER))
    found, masks = instances_of(OracleLabels('O6', file)(results_of(tmp_path, truth=truth)))
    assert found == [(0, (10, 0, 20, 4), 1), (1, OTHER, 1)]
    assert np.array_equal(masks, [rectangle((10, 0, 20, 4)), rectangle(PART)])


@pytest.mark.parametrize('oracle', ['O2', 'O3', 'O4', 'O5', 'O6'])
def test_images_without_objects_or_without_labels(file, tmp_path, oracle):
    for name in ('a.jpg', 'b.jpg'):
        for truth in (labels(), TRUTH):
            results = OracleLabels(oracle, file)(results_of(tmp_path, name, truth))
            count = len(results['gt_bboxes'])
            assert len(results['gt_masks'].masks) == len(results['gt_weights']) == count
            assert results['gt_masks'].masks.shape[1:] == SIZE


def test_of_several_labels_of_an_object_the_closest_keeps_it():
    pseudo = labels((0, NEAR_LARGE), (0, LARGE), (0, (0, 0, 6, 5)))
    iou, objects = match(pseudo, TRUTH)
    assert objects.tolist() == [1, 1, 0]
    np.testing.assert_allclose(iou, [0, 1, 5 / 6])
    assert one_of_each(labels((1, SMALL), (1, SMALL))).tolist() == [True, False]


def test_unknown_oracles_and_oracles_without_labels_are_refused():
    with pytest.raises(UserError, match="no oracle 'O9', only O2, O3, O4"):
        OracleLabels('O9')
    with pytest.raises(UserError, match='O4 changes labels: set label_file'):
        OracleLabels('O4')
