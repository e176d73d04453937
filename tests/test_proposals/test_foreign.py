import os
import pickle
import sys
import types
from enum import IntEnum

import numpy as np
import pytest
import torch
from mmengine.structures import InstanceData
from scipy.io import savemat

from mmlabelpenet.proposals import (
    FORMATS,
    exceeds,
    match_images,
    read_foreign,
    require_fit,
    sort_by_score,
    to_proposals,
)
from mmlabelpenet.utils import UserError

# Rows 3 to 10 and columns 5 to 20 of an image, 1-based; then its first pixel.
MATLAB = np.array([[3, 5, 10, 20], [1, 1, 1, 1]])
OURS = [[4, 2, 20, 10], [0, 0, 1, 1]]


def cells(*values):
    column = np.empty((len(values), 1), dtype=object)
    for row, value in enumerate(values):
        column[row, 0] = value
    return column


def pickled(path, content, protocol=2):
    path.write_bytes(pickle.dumps(content, protocol))
    return path


def test_selective_search_of_fast_rcnn(tmp_path):
    path = tmp_path / 'voc_2007_trainval.mat'
    boxes = cells(MATLAB.astype(np.uint16), MATLAB[:1].astype(np.float64))
    savemat(path, {'images': cells('000005', '000007'), 'boxes': boxes})
    found = read_foreign(path, 'selective_search')
    assert list(found) == ['000005', '000007']
    assert found['000005'].tolist() == OURS
    assert found['000007'].tolist() == OURS[:1]


@pytest.mark.parametrize(('key', 'score_key'), [('boxes', 'scores'), ('bboxes', 'bboxes_scores')])
def test_mcg_has_a_file_per_image_and_scores(tmp_path, key, score_key):
    for name in ('2008_000002', '2008_000008'):
        savemat(tmp_path / f'{name}.mat', {key: MATLAB, score_key: np.array([[0.25], [0.5]])})
    found = read_foreign(tmp_path, 'mcg')
    assert list(found) == ['2008_000002', '2008_000008']
    # By falling score.
    assert found['2008_000008'].tolist() == OURS[::-1]
    assert list(read_foreign(tmp_path / '2008_000002.mat', 'mcg')) == ['2008_000002']


def test_mmdet_3_has_names(tmp_path):
    boxes = np.array([[4.5, 2, 20, 10], [0, 0, 1, 1]], np.float32)
    scores = np.array([0.5, 0.75], np.float32)
    content = {
        'JPEGImages/a.jpg': InstanceData(bboxes=boxes, scores=scores),
        'JPEGImages/b.jpg': dict(bboxes=boxes, scores=scores),
        'JPEGImages/c.jpg': dict(bboxes=boxes),
    }
    found = read_foreign(pickled(tmp_path / 'p.pkl', content), 'mmdet')
    assert found['JPEGImages/a.jpg'].tolist() == [[0, 0, 1, 1], [4.5, 2, 20, 10]]
    assert found['JPEGImages/b.jpg'].tolist() == [[0, 0, 1, 1], [4.5, 2, 20, 10]]
    assert found['JPEGImages/c.jpg'].tolist() == [[4.5, 2, 20, 10], [0, 0, 1, 1]]


def test_mmdet_2_has_an_order(tmp_path):
    scored = np.array([[4, 2, 20, 10, 0.5], [0, 0, 1, 1, 0.75]])
    content = [scored, np.zeros((0, 5)), scored[:, :4], []]
    found = read_foreign(pickled(tmp_path / 'p.pkl', content), 'mmdet')
    assert [one.tolist() for one in found] == [OURS[::-1], [], OURS, []]


@pytest.mark.parametrize('key', ['ids', 'indexes'])
def test_detectron_includes_both_corners(tmp_path, key):
    boxes = [np.array([[4, 2, 19, 9], [0, 0, 0, 0]], np.float32)]
    content = {'boxes': boxes, key: [5], 'scores': [np.array([0.1, 0.2])]}
    found = read_foreign(pickled(tmp_path / 'p.pkl', content), 'detectron')
    assert found['5'].tolist() == OURS[::-1]


@pytest.mark.parametrize(('mode', 'box'), [(0, [4, 2, 20, 10]), (1, [4, 2, 16, 8])])
def test_detectron2_excludes_the_last_corner_or_gives_sizes(tmp_path, mode, box, monkeypatch):
    BoxMode = IntEnum(
        'BoxMode', {'XYXY_ABS': 0, 'XYWH_ABS': 1}, module='detectron2.structures.boxes'
    )
    for name in ('detectron2', 'detectron2.structures', 'detectron2.structures.boxes'):
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    sys.modules['detectron2.structures.boxes'].BoxMode = BoxMode
    content = {
        'boxes': [np.array([box])],
        'ids': ['000005'],
        'objectness_logits': [np.array([1.5])],
        'bbox_mode': BoxMode(mode),
    }
    path = pickled(tmp_path / 'p.pkl', content)
    for name in ('detectron2', 'detectron2.structures', 'detectron2.structures.boxes'):
        monkeypatch.delitem(sys.modules, name)
    assert read_foreign(path, 'detectron')['000005'].tolist() == OURS[:1]


def test_a_pickle_of_python_2_is_read(tmp_path):
    # pickle.dumps({'boxes': [], 'indexes': []}, 2) as Python 2 writes it: byte strings.
    (tmp_path / 'p.pkl').write_bytes(
        b'\x80\x02}q\x00(U\x05boxesq\x01]q\x02U\x07indexesq\x03]q\x04u.'
    )
    assert read_foreign(tmp_path / 'p.pkl', 'detectron') == {}


class Evil:
    def __reduce__(self):
        return os.system, ('echo should not run >&2',)


@pytest.mark.parametrize('content', [Evil(), {'a.jpg': torch.nn.ReLU()}])
def test_a_pickle_that_could_execute_code_is_refused(tmp_path, content, capfd):
    with pytest.raises(UserError, match='which is no array'):
        read_foreign(pickled(tmp_path / 'p.pkl', content), 'mmdet')
    assert 'should not run' not in capfd.readouterr().err


@pytest.mark.parametrize('format_name', FORMATS)
def test_files_of_another_kind_are_named(tmp_path, format_name):
    path = tmp_path / 'x.file'
    path.write_bytes(b'nonsense')
    with pytest.raises(UserError, match=r'x\.file cannot be read as a'):
        read_foreign(path, format_name)
    with pytest.raises(UserError, match=r'no proposals at .*none'):
        read_foreign(tmp_path / 'none', format_name)


def test_inconsistent_files_are_refused(tmp_path):
    savemat(tmp_path / 'a.mat', {'boxes': cells(MATLAB)})
    with pytest.raises(UserError, match='has no images but boxes'):
        read_foreign(tmp_path / 'a.mat', 'selective_search')
    with pytest.raises(UserError, match='no MCG boxes of one photo'):
        read_foreign(tmp_path / 'a.mat', 'mcg')
    savemat(tmp_path / 'b.mat', {'boxes': cells(MATLAB), 'images': cells('1', '2')})
    with pytest.raises(UserError, match='2 names and boxes of 1 photos'):
        read_foreign(tmp_path / 'b.mat', 'selective_search')
    with pytest.raises(UserError, match='does not have an id for each'):
        read_foreign(pickled(tmp_path / 'c.pkl', {'boxes': [1], 'ids': []}), 'detectron')
    content = {'boxes': [], 'ids': [], 'bbox_mode': 4}
    with pytest.raises(UserError, match='boxes of mode 4'):
        read_foreign(pickled(tmp_path / 'c.pkl', content), 'detectron')
    with pytest.raises(UserError, match='no proposals of Detectron'):
        read_foreign(pickled(tmp_path / 'c.pkl', [1]), 'detectron')
    with pytest.raises(UserError, match='no proposals of mmdet'):
        read_foreign(pickled(tmp_path / 'c.pkl', 7), 'mmdet')
    with pytest.raises(UserError, match='choose one of selective_search, mcg'):
        read_foreign(tmp_path / 'c.pkl', 'edge_boxes')


def info(img_id, folder='VOC2007/JPEGImages'):
    return {'img_id': img_id, 'img_path': f'/data/{folder}/{img_id}.jpg'}


ONE = np.array([[0.0, 0, 1, 1]])


@pytest.mark.parametrize(
    ('name', 'img_id'),
    [
        ('/data/VOC2007/JPEGImages/000005.jpg', '000005'),
        ('JPEGImages/000005.jpg', '000005'),
        ('000005.jpg', '000005'),
        ('000005', '000005'),
        ('5', '000005'),
        ('2008000008', '2008_000008'),
        ('139', 139),
    ],
)
def test_names_of_an_image(name, img_id):
    others = {'000006': ONE, '2009000008': ONE, '1390': ONE}
    boxes, missing = match_images({**others, name: ONE}, [info('7'), info(img_id)])
    assert list(boxes) == [1]
    assert missing == ['7']


def test_proposals_of_other_images_are_refused():
    with pytest.raises(UserError, match=r'None of the photos \(such as .*7\.jpg\) has proposals'):
        match_images({'000006': ONE}, [info('7')])
    with pytest.raises(UserError, match='of 2 photos, but the data set has 1'):
        match_images([ONE, ONE], [info('7')])
    assert match_images([ONE], [info('7')]) == ({0: ONE}, [])


def test_boxes_are_sorted_rounded_clipped_and_unique():
    bboxes = np.array(
        [[0, 0, 5, 5], [-0.6, 1.4, 21, 9], [3, 3, 3.2, 8], [0, 0, 5, 5], [1, 1, 2, 2]]
    )
    boxes = sort_by_score(bboxes, np.array([0.1, 0.9, 0.8, 0.7, 0.1]))
    made = to_proposals(boxes, (12, 20), 'mcg')
    assert made.bboxes.tolist() == [[0, 1, 20, 9], [0, 0, 5, 5], [1, 1, 2, 2]]
    assert (made.width, made.height, made.generator) == (20, 12, 'imported_mcg')
    assert to_proposals(boxes, (12, 20), 'mcg', max_num=1).bboxes.tolist() == [[0, 1, 20, 9]]
    assert len(to_proposals(np.zeros((0, 4)), (12, 20), 'mcg')) == 0


def test_boxes_may_exceed_the_image_by_a_pixel_only():
    assert not exceeds(np.array([[-1.0, -1, 21, 13]]), (12, 20))
    assert exceeds(np.array([[0.0, 0, 22, 12]]), (12, 20))
    assert exceeds(np.array([[-2.0, 0, 20, 12]]), (12, 20))


def numbered(*numbers):
    """Images 1.jpg, 2.jpg, ... with ids from 0 on, as COCO files of own data have them."""
    return [{'img_id': one - 1, 'img_path': f'/data/photos/{one}.jpg'} for one in numbers]


def test_most_photos_say_whether_numbers_are_ids_or_files():
    boxes = {str(number): ONE * number for number in range(4)}
    by_file = {name: boxes[name] for name in '123'}
    by_id = {name: boxes[name] for name in '012'}
    for foreign, first in ((by_file, 1), (by_id, 0)):
        found, missing = match_images(foreign, numbered(1, 2, 3))
        assert [found[index].max() for index in range(3)] == [first, first + 1, first + 2]
        assert not missing
    with pytest.raises(UserError, match='not clear whether the proposals of 1 or 0 are those'):
        match_images(boxes, numbered(1, 2, 3))


def test_photos_of_one_name_do_not_share_proposals():
    infos = [info('7', 'a'), info('7', 'b')]
    with pytest.raises(UserError, match=r'of 7 are those of /data/a/7\.jpg or /data/b/7\.jpg'):
        match_images({'7': ONE}, infos)
    found, _ = match_images({'a/7.jpg': ONE, 'b/7.jpg': 2 * ONE}, infos)
    assert [found[0].max(), found[1].max()] == [1, 2]
    # the same photo in two splits
    assert len(match_images({'7': ONE}, [infos[0], infos[0]])[0]) == 2


def fit(*boxes, size=(60, 80)):
    found = dict(enumerate(np.array(one, dtype=float).reshape(-1, 4) for one in boxes))
    infos = [{'img_path': f'{index}.jpg'} for index in found]
    return require_fit(found, infos, dict.fromkeys(found, size), 'p.pkl')


def test_what_is_suspicious_is_said():
    good = [[0, 0, 80, 60], [50, 40, 70, 55]]
    assert fit(good, good) == []
    assert fit(good, []) == ['1 photos have no boxes in p.pkl, such as 1.jpg']
    assert fit(good, [[1, 1, 1, 9]]) == ['1 photos have no boxes in p.pkl, such as 1.jpg']
    wide = [[0, 0, 90, 60]]
    assert fit(*[good] * 10, wide) == [
        '1 photos have boxes that exceed them, which were cut off, such as 10.jpg'
    ]
    tiny = [[0, 0, 1, 1]]
    assert fit(*[good] * 10, tiny) == [
        '1 photos have boxes in the first two pixels alone, such as 10.jpg'
    ]
    (both,) = fit([[2, 1, 50, 40]])
    assert both.startswith('As x, y, width, height all boxes would lie in their photos as well')
    (half,) = fit([[0, 0, 40, 30]])
    assert half.startswith('No box reaches beyond the middle of its photo')
    with pytest.raises(UserError, match=r'holds no box of the 1 photos'):
        fit([[3, 3, 3, 30]])


def test_names_may_be_bytes_and_begin_with_a_point(tmp_path):
    content = {b'./a.jpg': ONE, 'sub//b.jpg': ONE}
    assert {*read_foreign(pickled(tmp_path / 'p.pkl', content), 'mmdet')} == {'a.jpg', 'sub/b.jpg'}
