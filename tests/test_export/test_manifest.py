"""An export replaces and removes what exports have written, and nothing else."""

import os

import pytest

from mmlabelpenet.export import write_coco, write_voc, write_yolo
from mmlabelpenet.utils import UserError, read_image

from .conftest import CLASSES, labelled


def files(root):
    return sorted(
        str(path.relative_to(root))
        for path in root.rglob('*')
        if not path.is_dir() and not path.name.startswith('.')
    )


@pytest.fixture
def photos(write_image):
    return [
        labelled(write_image(f'{name}.jpg', seed=seed), [], [], [])
        for seed, name in enumerate(['a/p', 'b/p', 'q'])
    ]


@pytest.fixture(autouse=True)
def _names(photos):
    for photo, name in zip(photos, ['a/p', 'b/p', 'q']):
        photo.img_id = name


@pytest.mark.parametrize('write', [write_voc, write_yolo])
def test_departed_photos_go_and_the_users_files_stay(tmp_path, photos, write):
    out = tmp_path / 'out'
    folder = 'JPEGImages' if write is write_voc else 'images/train'
    for name in ('notes.txt', f'{folder}/mine.jpg', f'{folder}/a/mine.jpg', 'labels/train/m.txt'):
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        (out / name).write_text('mine')
    mine = files(out)
    write(photos, CLASSES, out, read_image)
    whole = files(out)
    assert {f'{folder}/{name}.jpg' for name in ('a/p', 'b/p', 'q')} < set(whole)
    write(photos[2:], CLASSES, out, read_image)
    fresh = tmp_path / 'fresh'
    write(photos[2:], CLASSES, fresh, read_image)
    assert files(out) == sorted({*files(fresh), *mine})
    assert not (out / folder / 'b').exists()
    # what the user has changed since is the user's
    write(photos, CLASSES, out, read_image)
    labels = 'Annotations/b/p.xml' if write is write_voc else 'labels/train/b/p.txt'
    (out / labels).write_text('corrected by hand')
    write(photos[2:], CLASSES, out, read_image)
    assert files(out) == sorted({*files(fresh), *mine, labels})


@pytest.mark.parametrize('write', [write_voc, write_yolo])
def test_splits_and_formats_share_a_folder(tmp_path, photos, write):
    write(photos, CLASSES, tmp_path / 'out', read_image)
    write(photos[:1], CLASSES, tmp_path / 'out', read_image, 'val')
    write(photos[1:], CLASSES, tmp_path / 'out', read_image)
    folder = 'JPEGImages' if write is write_voc else 'images/val'
    # the other split still has it
    assert (tmp_path / 'out' / folder / 'a/p.jpg').is_file()
    other = write_yolo if write is write_voc else write_voc
    other(photos, CLASSES, tmp_path / 'out', read_image)
    with pytest.raises(UserError, match='holds an export of the classes dog, chair, cat'):
        write(photos[:1], CLASSES[::-1], tmp_path / 'out', read_image, 'val')


@pytest.mark.parametrize('write', [write_voc, write_yolo])
def test_an_interrupted_export_is_taken_up(tmp_path, photos, write):
    path = photos[1].img_path
    os.rename(path, f'{path}.away')
    with pytest.raises(UserError, match='cannot be read'):
        write(photos, CLASSES, tmp_path / 'out', read_image)
    os.rename(f'{path}.away', path)
    write(photos[1:], CLASSES, tmp_path / 'out', read_image)
    write(photos[1:], CLASSES, tmp_path / 'fresh', read_image)
    assert files(tmp_path / 'out') == files(tmp_path / 'fresh')


def test_a_coco_file_of_the_user_is_not_replaced(tmp_path, photos):
    path = write_coco(photos, CLASSES, tmp_path)
    before = path.read_bytes()
    assert write_coco(photos[:2], CLASSES, tmp_path).read_bytes() != before
    path.write_text('{"images": []}')
    with pytest.raises(UserError, match='no export of this package has written it'):
        write_coco(photos, CLASSES, tmp_path)
