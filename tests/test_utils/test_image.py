import cv2
import image_kinds
import numpy as np
import pytest
from image_kinds import HEIGHT, ORIENTATION, WIDTH, scene
from PIL import Image

from mmlabelpenet.utils import UserError, decode_image, image_size, read_image

BGR = scene()[..., ::-1]
LOSSLESS = ('colour.png', 'colour.webp', 'colour.bmp', 'colour.tiff', 'alpha.png')


@pytest.mark.parametrize('name', image_kinds.MAKERS)
def test_every_kind_becomes_colour_of_the_size_that_the_header_tells(tmp_path, name):
    path = image_kinds.make(tmp_path, name)
    img = read_image(path)
    assert img.dtype == np.uint8
    assert img.flags['C_CONTIGUOUS']
    assert img.shape == ((WIDTH, HEIGHT, 3) if 'turned' in name else (HEIGHT, WIDTH, 3))
    assert image_size(path) == img.shape[:2]


@pytest.mark.parametrize('name', LOSSLESS)
def test_lossless_images_come_back_pixel_by_pixel(tmp_path, name):
    np.testing.assert_array_equal(read_image(image_kinds.make(tmp_path, name)), BGR)


@pytest.mark.parametrize('name', ['colour.jpg', 'grey.jpg', 'turned.jpg', 'palette.png'])
def test_common_images_are_those_that_opencv_gives(tmp_path, name):
    path = image_kinds.make(tmp_path, name)
    np.testing.assert_array_equal(read_image(path), cv2.imread(str(path)))


@pytest.mark.parametrize('name', ['deep_grey.png', 'deep_grey.tiff', 'deep_colour.png'])
def test_of_16_bits_the_upper_8_count(tmp_path, name):
    img = read_image(image_kinds.make(tmp_path, name))
    expected = np.repeat(scene()[..., :1], 3, axis=2) if 'grey' in name else BGR
    np.testing.assert_array_equal(img, expected)


def test_cmyk_looks_like_its_colours(tmp_path):
    img = read_image(image_kinds.make(tmp_path, 'cmyk.jpg')).astype(int)
    assert np.abs(img - BGR).mean() < 6


def test_what_is_transparent_lies_on_white(tmp_path):
    pixels = np.array([[[10, 20, 30, 255], [10, 20, 30, 0]]], np.uint8)
    Image.fromarray(pixels).save(tmp_path / 'a.png')
    assert read_image(tmp_path / 'a.png').tolist() == [[[30, 20, 10], [255, 255, 255]]]
    hole = read_image(image_kinds.make(tmp_path, 'palette_hole.png'))
    whole = read_image(image_kinds.make(tmp_path, 'palette.png'))
    changed = (hole != whole).any(axis=2)
    assert 0 < changed.sum() < changed.size
    assert (hole[changed] == 255).all()


def stored_as(upright, orientation):
    """The pixels that a camera held in this way writes, by the meaning of EXIF's numbers."""
    stored = upright.swapaxes(0, 1) if orientation > 4 else upright
    bottom_first = orientation in (3, 4, 7, 8)
    right_first = orientation in (2, 3, 6, 7)
    if orientation > 4:
        # Row 0 is the side of the scene here, column 0 its top or bottom.
        stored = stored[::-1] if right_first else stored
        return stored[:, ::-1] if bottom_first else stored
    stored = stored[::-1] if bottom_first else stored
    return stored[:, ::-1] if right_first else stored


@pytest.mark.parametrize('orientation', range(1, 9))
def test_images_are_turned_upright(tmp_path, orientation):
    # EXIF: 6 has row 0 at the right and column 0 at the top of the scene; 8 at the left, bottom.
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    path = tmp_path / 'a.png'
    stored = np.ascontiguousarray(stored_as(scene(), orientation))
    Image.fromarray(stored).save(path, exif=exif)
    np.testing.assert_array_equal(read_image(path), BGR)
    assert image_size(path) == (HEIGHT, WIDTH)


def test_a_wrong_orientation_is_none(tmp_path):
    exif = Image.Exif()
    exif[ORIENTATION] = 77
    Image.fromarray(scene()).save(tmp_path / 'a.png', exif=exif)
    np.testing.assert_array_equal(read_image(tmp_path / 'a.png'), BGR)


@pytest.mark.parametrize('suffix', ['.jpg', '.png', '.webp', '.tiff', '.bmp'])
@pytest.mark.parametrize('share', [0.3, 0.8])
def test_a_truncated_image_is_named_not_guessed(tmp_path, suffix, share):
    path = tmp_path / f'cut{suffix}'
    Image.fromarray(scene()).save(path)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(UserError, match=rf'cut\{suffix} is damaged or no photo'):
        read_image(path)


def test_a_jpeg_that_lacks_its_last_two_bytes_is_truncated(tmp_path):
    data = image_kinds.make(tmp_path, 'colour.jpg').read_bytes()
    with pytest.raises(UserError, match='damaged'):
        decode_image(data[:-2], 'a.jpg')


@pytest.mark.parametrize('data', [b'', b'nonsense', b'\xff\xd8\xff\xe0'])
def test_what_is_no_image_is_named(tmp_path, data):
    (tmp_path / 'x.jpg').write_bytes(data)
    for function in (read_image, image_size):
        with pytest.raises(UserError, match=r'x\.jpg is damaged or no photo'):
            function(tmp_path / 'x.jpg')


def test_a_missing_image_is_named(tmp_path):
    with pytest.raises(UserError, match=r'no\.jpg cannot be read \(No such file'):
        read_image(tmp_path / 'no.jpg')


def test_numbers_of_unknown_range_are_refused(tmp_path):
    Image.fromarray(np.ones((4, 4), np.float32)).save(tmp_path / 'f.tiff')
    Image.fromarray(np.full((4, 4), 1 << 20, np.int32)).save(tmp_path / 'i.tiff')
    with pytest.raises(UserError, match='fractions of an unknown range'):
        read_image(tmp_path / 'f.tiff')
    with pytest.raises(UserError, match='more than 16 bits'):
        read_image(tmp_path / 'i.tiff')


def test_twenty_megapixels(tmp_path):
    large = np.kron(scene(40, 50), np.ones((100, 100, 1), np.uint8))
    Image.fromarray(large).save(tmp_path / 'large.jpg', quality=95)
    img = read_image(tmp_path / 'large.jpg')
    assert img.shape == (4000, 5000, 3)
    assert np.abs(img[::97, ::89].astype(int) - large[::97, ::89, ::-1]).mean() < 4
