from dataclasses import replace

import numpy as np
import pytest

from mmlabelpenet.export import (
    Selection,
    class_counts,
    doubt_of,
    file_names,
    image_root,
    most_doubtful,
)
from mmlabelpenet.utils import UserError

from .conftest import encode, labelled


def squares(path, labels, scores, sides, tags=None):
    masks = np.zeros((len(sides), 30, 40), dtype=bool)
    for mask, side in zip(masks, sides):
        mask[:side, :side] = True
    return labelled(path, labels, scores, masks, tags)


def test_score_area_and_number_per_class_are_limited(tmp_path):
    image = squares(
        tmp_path / 'a.jpg', [0, 0, 1, 0, 1], [0.5, 0.9, 0.3, 0.7, 0.29], [5, 4, 3, 6, 9]
    )
    kept = Selection(score_thr=0.3)(image)
    assert kept.scores.tolist() == pytest.approx([0.9, 0.7, 0.5, 0.3])
    assert kept.areas().tolist() == [16, 36, 25, 9]
    assert Selection(score_thr=0.3, min_area=25)(image).areas().tolist() == [36, 25]
    one_each = Selection(score_thr=0.0, max_per_class=1)(image)
    assert one_each.labels.tolist() == [0, 1]
    assert one_each.scores.tolist() == pytest.approx([0.9, 0.3])


def test_only_tagged_classes_are_selected_if_tags_are_known(tmp_path):
    image = squares(tmp_path / 'a.jpg', [0, 1, 2], [0.9, 0.8, 0.7], [3, 3, 3], tags=[0, 2])
    assert Selection()(image).labels.tolist() == [0, 2]
    assert Selection(tagged_only=False)(image).labels.tolist() == [0, 1, 2]
    assert Selection()(replace(image, tags=None)).labels.tolist() == [0, 1, 2]
    assert Selection()(replace(image, tags=[])).labels.tolist() == []


def test_empty_masks_are_never_selected_and_boxes_are_clipped(tmp_path):
    image = squares(tmp_path / 'a.jpg', [0], [0.9], [3])
    image.boxes = np.array([[-5.0, 2, 60, 20]])
    assert Selection()(image).boxes.tolist() == [[0, 2, 40, 20]]
    image.masks = [encode(np.zeros((30, 40), dtype=bool))]
    assert len(Selection(min_area=0)(image)) == 0


def test_without_masks_the_box_is_the_area(tmp_path):
    image = replace(squares(tmp_path / 'a.jpg', [0, 1], [0.9, 0.8], [3, 7]), masks=None)
    assert Selection(min_area=10)(image).labels.tolist() == [1]


def test_names_are_unique_file_names(tmp_path):
    one = squares(tmp_path / 'a.jpg', [], [], [])
    ids = ['2007_000027', 'sub/der Hund', 'ä']
    images = [replace(one, img_id=name) for name in ids]
    assert file_names(images) == ids
    assert file_names(images, blanks=False) == ['2007_000027', 'sub/der_Hund', 'ä']
    twice = [replace(one, img_id='1', dataset_name=name) for name in ('VOC2007', 'VOC2012')]
    assert file_names(twice) == ['VOC2007_1', 'VOC2012_1']
    outside = [replace(one, img_id=name) for name in ('../a', '/b', 'c//d/.')]
    assert file_names(outside) == ['a', 'b', 'c/d']
    with pytest.raises(UserError, match='both be exported as Photos_1_2: rename one'):
        file_names([replace(one, img_id=name) for name in ('1 2', '1_2')], blanks=False)


def test_instances_are_counted_and_the_common_folder_is_found(tmp_path):
    one = squares(tmp_path / 'x/a.jpg', [0, 2, 2], [1, 1, 1], [3, 3, 3])
    other = squares(tmp_path / 'y/z/b.jpg', [2], [1], [3])
    assert class_counts([one, other], 4).tolist() == [1, 0, 3, 0]
    assert image_root([one, other]) == tmp_path
    assert image_root([other]) == tmp_path / 'y/z'


def test_boxes_of_masks_are_tight(tmp_path):
    image = squares(tmp_path / 'a.jpg', [0, 1], [0.9, 0.8], [3, 5])
    image.boxes = image.boxes + 2
    assert Selection()(image).boxes.tolist() == [[2, 2, 5, 5], [2, 2, 7, 7]]
    assert Selection(boxes='mask')(image).boxes.tolist() == [[0, 0, 3, 3], [0, 0, 5, 5]]
    image.masks = None
    assert Selection(boxes='mask')(image).boxes.tolist() == [[2, 2, 5, 5], [2, 2, 7, 7]]


def test_doubt_is_that_of_the_least_sure_tag():
    labels, scores = np.array([0, 0, 2, 1]), np.array([0.25, 0.75, 0.5, 0.875])
    assert doubt_of(labels, scores, [0, 1]) == 0.25
    assert doubt_of(labels, scores, [0, 2]) == 0.5
    assert doubt_of(labels, scores, [0, 3]) == 1
    assert doubt_of(labels, scores, []) == 0
    assert doubt_of(labels, scores, None) == 0.125
    assert doubt_of(labels[:0], scores[:0], None) == 1


def test_the_most_doubtful_images_come_first(tmp_path):
    images = [squares(tmp_path / f'{doubt}.jpg', [], [], []) for doubt in (1, 7, 3, 7)]
    for image in images:
        image.doubt = int(image.img_id) / 10
    assert [one.img_id for one in most_doubtful(images, 0.6)] == ['7', '7', '3']
    assert [one.img_id for one in most_doubtful(images, 0)] == ['7']
