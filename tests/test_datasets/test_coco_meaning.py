"""What a COCO file means when it is written in another way than COCO's own."""

import copy
import json

import numpy as np
import pytest
from mmengine.logging import MMLogger
from pycocotools import mask as mask_utils

from mmlabelpenet.datasets.coco_masks import check_runs, compressed_sums
from mmlabelpenet.utils import UserError

from .zoo import CONTENT, PIPELINE, infos, load, write


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
