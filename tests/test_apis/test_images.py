import numpy as np
import pytest

from mmlabelpenet.apis.images import as_bgr, list_images
from mmlabelpenet.utils import UserError


@pytest.fixture
def folder(tmp_path):
    for name in ('b.jpg', 'a.PNG', 'ü ö.jpeg', 'notes.txt'):
        (tmp_path / name).write_bytes(b'x')
    (tmp_path / 'sub.jpg').mkdir()
    return tmp_path


def test_files_folders_addresses_and_lists_of_them(folder):
    listed = [str(folder / name) for name in ('a.PNG', 'b.jpg', 'ü ö.jpeg')]
    assert list_images(folder) == list_images(str(folder)) == listed
    assert list_images(folder.as_uri()) == listed
    assert list_images((folder / 'ü ö.jpeg').as_uri()) == listed[2:]
    assert list_images(f'file://localhost{folder}/b.jpg') == [listed[1]]
    assert list_images([folder / 'b.jpg', folder]) == [listed[1], *listed]
    # a file that is named is taken whatever its suffix
    assert list_images(folder / 'notes.txt') == [str(folder / 'notes.txt')]


def test_arrays_are_images_and_grey_ones_get_three_channels():
    img = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
    (same,) = list_images(img)
    np.testing.assert_array_equal(same, img)
    grey = np.arange(8, dtype=np.uint8).reshape(2, 4)
    for one in (grey, grey[..., None]):
        np.testing.assert_array_equal(as_bgr(one), np.stack([grey] * 3, axis=-1))
    assert len(list_images([img, grey])) == 2


@pytest.mark.parametrize(
    'img',
    [
        np.zeros((2, 4, 3), np.float32),
        np.zeros((2, 4, 4), np.uint8),
        np.zeros((3,), np.uint8),
        np.zeros((0, 4, 3), np.uint8),
    ],
)
def test_other_arrays_are_reported(img):
    with pytest.raises(UserError, match='is no photo: give'):
        list_images(img)


@pytest.mark.parametrize(
    ('name', 'message'),
    [
        ('gone.jpg', 'no photo and no folder at gone.jpg'),
        ('https://example.org/a.jpg', 'a.jpg is not on this machine'),
        ('file://elsewhere/a.jpg', 'is not on this machine'),
    ],
)
def test_missing_files_are_reported(name, message):
    with pytest.raises(UserError, match=message):
        list_images(name)


def test_a_folder_without_images_is_reported(tmp_path):
    with pytest.raises(UserError, match='contains no photos'):
        list_images(tmp_path)


def test_photos_of_other_kinds_in_a_folder_are_told(folder, monkeypatch):
    told = []
    monkeypatch.setattr(
        'mmlabelpenet.utils.photo_files.print_log', lambda text, **_: told.append(text)
    )
    list_images(folder)
    assert not told
    for name in ('c.HEIC', 'd.gif'):
        (folder / name).write_bytes(b'x')
    assert len(list_images(folder)) == 3
    assert told == [
        f'{folder} has photos of other kinds, which are left out (2 in all, such as c.HEIC): '
        'convert them to JPEG.'
    ]
