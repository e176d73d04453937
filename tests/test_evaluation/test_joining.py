"""Predictions are joined with the images that they are of."""

import numpy as np
import pytest
from PIL import Image

from mmlabelpenet.evaluation.joining import PredictionIndex
from mmlabelpenet.utils import UserError


def photo(path, grey):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((6, 8, 3), grey, np.uint8)).save(path)
    return str(path)


def entry(path, **fields):
    return {'img_id': 1, 'img_path': str(path), **fields}


def find(predictions, info, root):
    found = PredictionIndex(predictions, 'found.pkl').find(info, str(root))
    return None if found is None else predictions.index(found)


def test_numbers_and_order_do_not_matter(tmp_path):
    files = [photo(tmp_path / f'{name}.jpg', 10 * name) for name in range(3)]
    predictions = [entry(path, img_id=number) for number, path in enumerate(files[::-1])]
    for number, path in enumerate(files):
        assert find(predictions, entry(path, img_id=number), tmp_path) == 2 - number


def test_photos_of_one_name_in_other_folders_are_others(tmp_path):
    """Predictions of train/images are not measured on valid/images."""
    train, valid = (
        photo(tmp_path / f'{one}/images/1.jpg', len(one)) for one in ('train', 'valid!')
    )
    info = entry(valid, file_name='1.jpg', dataset_name='images')
    for given in (
        entry(train, file_name='1.jpg', dataset_name='images'),
        {'file_name': '1.jpg', 'photo_root': str(tmp_path / 'train/images')},
        {'file_name': 'train/images/1.jpg'},
    ):
        assert find([given], info, tmp_path / 'valid!/images') is None
    both = [entry(train), entry(valid)]
    assert find(both, info, tmp_path / 'valid!/images') == 1


def test_links_and_copies_are_the_photo(tmp_path):
    original = photo(tmp_path / 'a/1.jpg', 7)
    copy = photo(tmp_path / 'b/1.jpg', 7)
    link = tmp_path / 'c/1.jpg'
    link.parent.mkdir()
    link.symlink_to(original)
    for path in (copy, link):
        assert find([entry(original)], entry(path), tmp_path) == 0


@pytest.mark.parametrize(
    ('given', 'level'),
    [
        ({'file_name': '1.jpg'}, 0),
        ({'file_name': 'sub/1.jpg'}, 0),
        ({'file_name': 'zoo/photos/sub/1.jpg'}, 0),
        ({'file_name': '1.png'}, 0),
        ({'file_name': 'other/1.jpg'}, None),
        ({'file_name': '/far/zoo/photos/sub/1.jpg'}, 0),
        ({'file_name': '/far/animals/photos/sub/1.jpg'}, None),
        ({'file_name': '1.jpg', 'photo_root': '/far/photos/sub'}, 0),
        ({'img_path': 'data/zoo/photos/sub/1.jpg'}, 0),
        ({'img_path': 'data/farm/photos/sub/1.jpg'}, None),
        ({'img_path': 'x/sub/1.jpg', 'file_name': 'sub/1.jpg', 'dataset_name': 'zoo'}, 0),
        ({'img_path': 'zoo/photos/sub/1.jpg'}, 0),
        ({'img_path': '/far/x/sub/1.jpg', 'file_name': 'sub/1.jpg', 'dataset_name': 'zoo'}, 0),
        ({'img_path': '/far/x/sub/1.jpg', 'file_name': 'sub/1.jpg', 'dataset_name': 'farm'}, None),
        ({'img_path': '/far/zoo/photos/sub/1.jpg'}, 0),
        ({'img_path': '/far/photos/sub/1.jpg'}, None),
        ({'img_id': 'sub/1'}, 0),
        ({'img_id': '1.5'}, None),
    ],
)
def test_moved_photos_agree_as_far_as_both_names_are_known(tmp_path, given, level):
    path = photo(tmp_path / 'zoo/photos/sub/1.jpg', 0)
    info = entry(path, file_name='sub/1.jpg', dataset_name='zoo')
    assert find([given], info, tmp_path / 'zoo') == level


def test_ambiguous_or_nameless_predictions_are_refused(tmp_path):
    path = photo(tmp_path / 'zoo/a/1.jpg', 0)
    with pytest.raises(UserError, match='either could be'):
        find([{'file_name': '1.jpg'}, {'file_name': 'a/1.jpg'}], entry(path), tmp_path / 'zoo')
    with pytest.raises(UserError, match='by numbers such as 7 alone'):
        PredictionIndex([{'img_id': 7}], 'found.pkl')
    (tmp_path / 'zoo/b').mkdir()
    with pytest.raises(UserError, match='twice'):
        PredictionIndex([entry(path), entry(tmp_path / 'zoo/b/../a/1.jpg')], 'found.pkl')
    # the name with the suffix is better than the one without
    names = [{'file_name': 'a/1.png'}, {'file_name': 'a/1.jpg'}]
    assert find(names, entry(path), tmp_path / 'zoo') == 1
