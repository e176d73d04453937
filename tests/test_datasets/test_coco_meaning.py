"""What a COCO file means when it is written in another way than COCO's own."""

import copy
import json

import numpy as np
import pytest
from mmengine.logging import MMLogger
from pycocotools import mask as mask_utils

from mmlabelpenet.datasets import COCOInstanceDataset
from mmlabelpenet.datasets.coco_masks import check_runs, compressed_sums
from mmlabelpenet.utils import UserError

from .zoo import CONTENT, PIPELINE, SQUARE, infos, load, write


def changed(root, key, index=0, **changes):
    """Images of the data set with changes of an entry; None removes a key."""
    content = copy.deepcopy(CONTENT)
    entry = content[key][index] | changes
    content[key][index] = {name: one for name, one in entry.items() if one is not None}
    write(root, content)
    return infos(load(root, supervision='full'))


@pytest.fixture
def good(root):
    return infos(load(root, supervision='full'))


def test_ids_may_be_text(root, good):
    content = copy.deepcopy(CONTENT)
    for one in content['annotations']:
        one.update(image_id=str(one['image_id']), category_id=f' {one["category_id"]}')
    for one in content['images']:
        one.update(width=str(one['width']), height=float(one['height']))
    write(root, content)
    assert infos(load(root, supervision='full')) == good
    for one in content['categories']:
        one['id'] = str(one['id'])
    write(root, content)
    dataset = load(root, supervision='full')
    # 7 comes before 18, which as text it would not
    assert dataset.metainfo['classes'] == ('train', 'dog')
    assert infos(dataset) == good


def test_ids_that_are_names(root, good):
    content = copy.deepcopy(CONTENT)
    names = {18: 'D', 7: 'A', 139: 'x', 5: 'y', 6: 'z'}
    for key, entries in content.items():
        for one in entries:
            for field in ('image_id', 'category_id') if key == 'annotations' else ('id',):
                one[field] = names[one[field]]
    write(root, content)
    found = infos(load(root, supervision='full'))
    assert [info.pop('img_id') for info in found] == ['x', 'y', 'z']
    assert found == [{k: v for k, v in info.items() if k != 'img_id'} for info in good]


def test_blanks_around_a_name_are_no_part_of_it(root):
    content = copy.deepcopy(CONTENT)
    content['categories'][0]['name'] = ' dog\n'
    write(root, content)
    assert load(root).metainfo['classes'] == ('train', 'dog')


@pytest.mark.parametrize('crowd', [None, 0, False, '0', 0.0])
def test_ways_to_write_that_it_is_no_crowd(root, good, crowd):
    assert changed(root, 'annotations', iscrowd=crowd) == good


@pytest.mark.parametrize('crowd', [True, '1', 1.0])
def test_ways_to_write_that_it_is_a_crowd(root, good, crowd):
    assert changed(root, 'annotations', 2, iscrowd=crowd) == good


@pytest.mark.parametrize('encoding', ['utf-8', 'utf-8-sig', 'utf-16'])
def test_encodings(root, good, encoding):
    (root / 'a.json').write_text(json.dumps(CONTENT), encoding=encoding)
    assert infos(load(root, supervision='full')) == good


@pytest.mark.parametrize('bbox', [None, [], [0, 0, 0, 0]])
@pytest.mark.parametrize('index', [0, 1, 2])
def test_an_object_without_a_box_has_that_of_its_mask(root, good, bbox, index):
    """Of polygons, of compressed and of plain run lengths."""
    assert changed(root, 'annotations', index, bbox=bbox) == good


@pytest.mark.parametrize('supervision', ['tags', 'full'])
def test_objects_without_area_are_ignored(root, supervision):
    """COCO 2017 has two of them, with a box of height 0 and polygons on a line."""
    flat = dict(bbox=[2.5, 3.25, 1.5, 0], segmentation=[[2.5, 3.25, 4, 3.25, 4, 3.25]])
    content = copy.deepcopy(CONTENT)
    content['annotations'][0].update(flat)
    write(root, content)
    dataset = load(root, supervision=supervision, pipeline=PIPELINE)
    info = dataset.get_data_info(0)
    assert info['tags'] == [1]
    if supervision == 'full':
        one = info['instances'][0]
        assert one['ignore_flag'] == 1
        assert one['bbox'] == [2.5, 3.25, 3.0, 3.25]
        assert dataset[0]['data_samples'].gt_mask_instances.labels.tolist() == [1]


def test_images_without_annotations(root):
    content = {key: CONTENT[key] for key in ('images', 'categories')}
    write(root, content)
    assert [info['tags'] for info in infos(load(root, supervision='none'))] == [[], [], []]
    for supervision in ('tags', 'full'):
        with pytest.raises(UserError, match=r"has no annotations: .* supervision='none'"):
            load(root, supervision=supervision)
    # Without supervision nothing of an annotation is read.
    write(root, {**content, 'annotations': [7, None]})
    assert len(load(root, supervision='none')) == 3


def test_masks_of_some_objects_are_not_measured(root, caplog):
    logger = MMLogger.get_current_instance()
    logger.addHandler(caplog.handler)
    found = changed(root, 'annotations', segmentation=None)
    logger.removeHandler(caplog.handler)
    assert not any(info['with_masks'] for info in found)
    assert 'no mask of 1 of 5 objects' in caplog.text
    dataset = load(root, supervision='full', strict=False)
    assert 'no mask of 1 of 5 objects' in dataset.problems[0]


def test_a_check_reports_every_problem_and_keeps_the_rest(root, good):
    content = copy.deepcopy(CONTENT)
    content['images'].append(dict(CONTENT['images'][1], id=7))
    content['annotations'][0]['bbox'] = [1, 2, 3]
    content['annotations'][1]['segmentation']['counts'] = '0'
    content['annotations'][4]['category_id'] = 99
    write(root, content)
    dataset = load(root, supervision='full', strict=False)
    assert len(dataset.problems) == 4
    assert [len(info['instances']) for info in infos(dataset)] == [1, 1, 0]
    assert infos(dataset)[2] == good[2]


def test_a_skipped_image_may_have_the_name_of_another(root, tmp_path):
    content = copy.deepcopy(CONTENT)
    content['images'][2]['file_name'] = '000139.jpg'
    write(root, content)
    with pytest.raises(UserError, match='differ only in their suffix'):
        load(root)
    (tmp_path / 'skip.txt').write_text('000139.jpg\n')
    assert len(load(root, skip=str(tmp_path / 'skip.txt'))) == 2


def random_runs(generator, number):
    masks = [generator.random((9, 13)) < generator.random() for _ in range(number)]
    masks[0][:], masks[1][:] = False, True
    return [mask_utils.encode(np.asfortranarray(mask, dtype=np.uint8)) for mask in masks]


def test_sums_of_compressed_run_lengths_are_those_of_pycocotools():
    runs = random_runs(np.random.default_rng(0), 300)
    runs += [
        mask_utils.frPyObjects({'size': [40000, 30000], 'counts': [7, 10**9, 2 * 10**8 - 7]}, 1, 1)
    ]
    totals, areas = compressed_sums([one['counts'].decode() for one in runs])
    assert totals.tolist() == [117] * 300 + [12 * 10**8]
    assert areas.tolist() == [int(mask_utils.area(one)) for one in runs]


def test_damaged_run_lengths_are_never_accepted():
    """A text that is accepted has the right number of pixels in pycocotools too."""
    generator = np.random.default_rng(1)
    accepted = 0
    for one in random_runs(generator, 200)[2:]:
        text = one['counts'].decode()
        place, size = generator.integers(len(text)), (9, 13)
        letter = chr(generator.integers(40, 120))
        broken = [text[:place], text[:place] + letter + text[place + 1 :], text + letter]
        masks = [{'size': [9, 13], 'counts': broken_text} for broken_text in broken]
        for mask, error in zip(masks, check_runs(masks, [size] * 3)):
            accepted += error is None
            if error is None:
                decoded = mask_utils.decode(mask)
                again = mask_utils.encode(decoded)
                assert int(mask_utils.area(again)) == int(mask_utils.area(mask)) == decoded.sum()
    assert accepted < 200


def said_of(root, *changes, **kwargs):
    """The warnings of a data set after changes of annotations."""
    content = copy.deepcopy(CONTENT)
    for index, change in changes:
        content['annotations'][index].update(change)
    content['annotations'] += kwargs.pop('more', [])
    write(root, content)
    dataset = load(root, test_mode=True, **{'supervision': 'full', **kwargs})
    assert all(str(root) in one for one in dataset.warnings)
    return dataset.warnings


def test_good_annotations_are_not_suspected(root):
    assert said_of(root) == []


@pytest.mark.parametrize('mask', [None, SQUARE])
def test_an_annotation_that_is_there_twice_is_said(root, mask):
    copied = {**CONTENT['annotations'][0], 'segmentation': mask}
    (found,) = said_of(root, (0, {'segmentation': mask}), more=[copied], strict=False)
    assert '(1 in all, such as annotation number 1 and annotation number 6 of' in found
    other = {**copied, 'segmentation': [[2, 1, 12, 1, 12, 11]]}
    assert said_of(root, (0, {'segmentation': mask}), more=[other], strict=False) == []


def test_ids_that_several_annotations_have_are_said(root):
    (found,) = said_of(root, (0, {'id': 3}), (1, {'id': '3'}), (2, {'id': 4}), supervision='tags')
    assert 'the same id (1 in all, such as 3 in' in found


def test_a_box_that_overlaps_its_mask_by_less_than_half_is_said(root):
    (found,) = said_of(root, (0, {'bbox': [2, 1, 10, 4]}))
    assert 'overlap by less than half (1 in all, such as annotation number 1 of' in found
    # By rounding, boxes of small objects may differ by two pixels.
    assert said_of(root, (1, {'bbox': [5, 5, 1, 1]})) == []
    # The box of a crowd may have another extent than its pixels.
    assert said_of(root, (2, {'bbox': [0, 0, 2, 2]})) == []


@pytest.mark.parametrize('ignore', [1, True, '1'])
def test_objects_to_be_ignored_count_like_crowds(root, ignore):
    """As in mmdet, whose converters mark difficult objects so."""
    found = changed(root, 'annotations', ignore=ignore)[0]
    assert [one['ignore_flag'] for one in found['instances']] == [1, 0, 1]
    found = changed(root, 'annotations', 3, ignore=ignore)[1]
    assert (found['tags'], found['ignored_tags']) == ([], [0])


def test_objects_that_are_not_to_be_ignored(root, good):
    assert changed(root, 'annotations', ignore=0) == good


@pytest.mark.parametrize(
    ('mark', 'said'),
    [
        ({'is_crowd': 1}, 'not read (1 in all, such as is_crowd=1 of annotation 1 of'),
        ({'difficult': True}, 'not read (1 in all, such as difficult=true of annotation 1 of'),
        ({'isGroupOf': '1'}, 'not read (1 in all, such as isGroupOf=1 of annotation 1 of'),
        ({'attributes': {'deleted': True}}, 'such as deleted=true of annotation 1 of'),
        ({'attributes': {'rotation': 45.0}}, 'rotated (1 in all, such as rotation=45.0 of'),
    ],
)
def test_marks_that_are_not_read_are_said(root, mark, said):
    (found,) = said_of(root, (0, mark))
    assert said in found
    (found,) = said_of(root, (0, mark), supervision='tags')
    assert said in found


def test_marks_that_say_nothing_are_not_said(root):
    marks = {'difficult': 0, 'attributes': {'occluded': True, 'rotation': 0.0}, 'isfake': 1}
    assert said_of(root, (0, marks), (1, {'attributes': None})) == []


def test_a_polygon_within_another_is_said(root):
    outer, inner = [2, 1, 12, 1, 12, 11, 2, 11], [4, 3, 4, 8, 9, 3]
    (found,) = said_of(root, (0, {'segmentation': [outer, inner]}))
    assert 'within another of its mask (1 in all, such as annotation number 1 of' in found
    assert said_of(root, (0, {'segmentation': [outer, outer, [2, 1, 12, 1, 12, 11]]})) == []


def test_photos_of_which_only_some_classes_were_annotated_are_said(root):
    content = copy.deepcopy(CONTENT)
    for image in content['images']:
        image.update(neg_category_ids=[7], not_exhaustive_category_ids=[])
    write(root, content)
    (found,) = load(root).warnings
    assert f'as in LVIS ({len(content["images"])} in all, such as photo 1' in found


def test_slashes_of_windows_are_understood(root, good):
    assert changed(root, 'images', 1, file_name='sub\\5.png') == good
    (root / 'photos/sub\\5.png').write_bytes((root / 'photos/sub/5.png').read_bytes())
    assert changed(root, 'images', 1, file_name='sub\\5.png')[1]['file_name'] == 'sub\\5.png'


def test_the_folder_of_images_may_be_a_text(root, good):
    found = COCOInstanceDataset(str(root), 'a.json', 'photos', supervision='full')
    assert infos(found) == good


def test_boxes_at_the_corner_of_the_image_have_the_areas_of_both_meanings(root):
    content = copy.deepcopy(CONTENT)
    content['annotations'] = [{**CONTENT['annotations'][0], 'bbox': [0, 0, 9, 5], 'area': 45}]
    del content['annotations'][0]['segmentation']
    write(root, content)
    assert load(root, supervision='full')[0]['instances'][0]['bbox'] == [0, 0, 8, 4]


def test_a_class_without_an_image_such_as_a_group_of_classes_is_said(root):
    content = copy.deepcopy(CONTENT)
    content['categories'].insert(0, {'id': 0, 'name': 'animals', 'supercategory': 'none'})
    write(root, content)
    (found,) = load(root).warnings
    assert 'has no photo of 1 of 3 classes (such as animals): add some, or choose' in found
