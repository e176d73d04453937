import struct

import cv2
import image_kinds
import numpy as np
import pytest
from image_kinds import HEIGHT, ORIENTATION, WIDTH, scene
from PIL import Image, ImageOps

from mmlabelpenet.utils import UserError, decode_image, image_size, read_image

BGR = scene()[..., ::-1]
LOSSLESS = ('colour.png', 'colour.webp', 'colour.bmp', 'colour.tiff', 'alpha.png')


@pytest.mark.parametrize('name', image_kinds.MAKERS)
def test_every_kind_becomes_colour_in_the_size_of_its_header(tmp_path, name):
    path = image_kinds.make(tmp_path, name)
    img = read_image(path)
    assert img.dtype == np.uint8
    assert img.flags['C_CONTIGUOUS']
    assert img.shape == ((WIDTH, HEIGHT, 3) if 'rotated' in name else (HEIGHT, WIDTH, 3))
    assert image_size(path) == img.shape[:2]


@pytest.mark.parametrize('name', LOSSLESS)
def test_lossless_images_come_back_pixel_by_pixel(tmp_path, name):
    np.testing.assert_array_equal(read_image(image_kinds.make(tmp_path, name)), BGR)


@pytest.mark.parametrize('name', ['colour.jpg', 'grey.jpg', 'rotated.jpg', 'palette.png'])
def test_common_images_are_decoded_as_by_opencv(tmp_path, name):
    path = image_kinds.make(tmp_path, name)
    np.testing.assert_array_equal(read_image(path), cv2.imread(str(path)))


@pytest.mark.parametrize('name', ['deep_grey.png', 'deep_grey.tiff', 'deep_colour.png'])
def test_the_upper_8_of_16_bits_are_kept(tmp_path, name):
    img = read_image(image_kinds.make(tmp_path, name))
    expected = np.repeat(scene()[..., :1], 3, axis=2) if 'grey' in name else BGR
    np.testing.assert_array_equal(img, expected)


def test_cmyk_keeps_its_colours(tmp_path):
    img = read_image(image_kinds.make(tmp_path, 'cmyk.jpg')).astype(int)
    assert np.abs(img - BGR).mean() < 6


def test_transparent_pixels_are_blended_with_white(tmp_path):
    pixels = np.array([[[10, 20, 30, 255], [10, 20, 30, 0]]], np.uint8)
    Image.fromarray(pixels).save(tmp_path / 'a.png')
    assert read_image(tmp_path / 'a.png').tolist() == [[[30, 20, 10], [255, 255, 255]]]
    hole = read_image(image_kinds.make(tmp_path, 'palette_transparent.png'))
    whole = read_image(image_kinds.make(tmp_path, 'palette.png'))
    changed = (hole != whole).any(axis=2)
    assert 0 < changed.sum() < changed.size
    assert (hole[changed] == 255).all()


def stored_as(upright, orientation):
    """The pixels that a camera in this orientation stores, by the definition of EXIF."""
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
def test_images_are_rotated_upright(tmp_path, orientation):
    # EXIF: 6 has row 0 at the right and column 0 at the top of the scene; 8 at the left, bottom.
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    path = tmp_path / 'a.png'
    stored = np.ascontiguousarray(stored_as(scene(), orientation))
    Image.fromarray(stored).save(path, exif=exif)
    np.testing.assert_array_equal(read_image(path), BGR)
    assert image_size(path) == (HEIGHT, WIDTH)


TRANSPOSED = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def in_mode(mode):
    """The scene in one of Pillow's modes; ``P`` with a transparent colour."""
    if mode == 'I;16':
        return Image.fromarray(scene()[..., 0].astype(np.uint16) * 256 + 77), {}
    if mode == 'P':
        return Image.fromarray(scene()).quantize(16), {'transparency': 3}
    return Image.fromarray(scene()).convert(mode), {}


@pytest.mark.parametrize('orientation', range(10))
@pytest.mark.parametrize(
    'kind',
    [
        '1.png',
        'L.png',
        'P.png',
        'I;16.png',
        'I;16.tiff',
        'LA.png',
        'RGBA.tiff',
        'CMYK.tiff',
        'CMYK.jpg',
        'RGB.webp',
    ],
)
def test_images_of_every_mode_are_rotated(tmp_path, kind, orientation):
    mode, suffix = kind[: kind.index('.')], kind[kind.index('.') :]
    image, options = in_mode(mode)
    image.save(tmp_path / f'plain{suffix}', **options)
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    image.save(tmp_path / f'rotated{suffix}', exif=exif, **options)
    expected = Image.fromarray(read_image(tmp_path / f'plain{suffix}'))
    if orientation in TRANSPOSED:
        expected = expected.transpose(TRANSPOSED[orientation])
    found = read_image(tmp_path / f'rotated{suffix}')
    assert image_size(tmp_path / f'rotated{suffix}') == found.shape[:2]
    np.testing.assert_array_equal(found, np.asarray(expected))


def test_a_broken_exif_tag_beside_the_orientation_changes_nothing(tmp_path):
    # A negative image height, which Pillow reads but can't write again.
    tags = [(0x0101, 9, 1, b'\xff\xff\xff\xff'), (ORIENTATION, 3, 1, b'\6\0\0\0')]
    exif = b'Exif\0\0II*\0' + struct.pack('<IH', 8, len(tags))
    exif += b''.join(struct.pack('<HHI', *tag[:3]) + tag[3] for tag in tags) + bytes(4)
    Image.fromarray(scene()).save(tmp_path / 'a.jpg', exif=exif)
    Image.fromarray(scene()).save(tmp_path / 'b.jpg')
    with Image.open(tmp_path / 'a.jpg') as image, pytest.raises(struct.error):
        ImageOps.exif_transpose(image)
    upright = np.rot90(read_image(tmp_path / 'b.jpg'), -1)
    np.testing.assert_array_equal(read_image(tmp_path / 'a.jpg'), upright)
    assert image_size(tmp_path / 'a.jpg') == (WIDTH, HEIGHT)


def test_an_unknown_orientation_counts_as_upright(tmp_path):
    exif = Image.Exif()
    exif[ORIENTATION] = 77
    Image.fromarray(scene()).save(tmp_path / 'a.png', exif=exif)
    np.testing.assert_array_equal(read_image(tmp_path / 'a.png'), BGR)


@pytest.mark.parametrize('suffix', ['.jpg', '.png', '.webp', '.tiff', '.bmp'])
@pytest.mark.parametrize('share', [0.3, 0.8])
def test_a_truncated_image_is_an_error_that_names_it(tmp_path, suffix, share):
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
def test_a_file_that_is_no_image_is_named(tmp_path, data):
    (tmp_path / 'x.jpg').write_bytes(data)
    for function in (read_image, image_size):
        with pytest.raises(UserError, match=r'x\.jpg is damaged or no photo'):
            function(tmp_path / 'x.jpg')


def test_a_missing_image_is_named(tmp_path):
    with pytest.raises(UserError, match=r'no\.jpg cannot be read \(No such file'):
        read_image(tmp_path / 'no.jpg')


def test_pixels_of_unknown_range_are_refused(tmp_path):
    Image.fromarray(np.ones((4, 4), np.float32)).save(tmp_path / 'f.tiff')
    Image.fromarray(np.full((4, 4), 1 << 20, np.int32)).save(tmp_path / 'i.tiff')
    with pytest.raises(UserError, match='floating-point pixels of unknown range'):
        read_image(tmp_path / 'f.tiff')
    with pytest.raises(UserError, match='more than 16 bits'):
        read_image(tmp_path / 'i.tiff')


def test_twenty_megapixels(tmp_path):
    large = np.kron(scene(40, 50), np.ones((100, 100, 1), np.uint8))
    Image.fromarray(large).save(tmp_path / 'large.jpg', quality=95)
    img = read_image(tmp_path / 'large.jpg')
    assert img.shape == (4000, 5000, 3)
    assert np.abs(img[::97, ::89].astype(int) - large[::97, ::89, ::-1]).mean() < 4


def test_long_images_are_read_up_to_a_hundred_times_the_shorter_side(tmp_path):
    Image.new('RGB', (500, 5)).save(tmp_path / 'a.png')
    assert read_image(tmp_path / 'a.png').shape == (5, 500, 3)
    Image.new('RGB', (501, 5)).save(tmp_path / 'a.png')
    with pytest.raises(UserError, match='501 x 5 pixels, one side more than 100 times'):
        read_image(tmp_path / 'a.png')


def test_the_format_is_that_of_the_content_and_of_an_animation_the_first_image(tmp_path):
    Image.fromarray(scene()).save(tmp_path / 'a.jpg', 'PNG')
    np.testing.assert_array_equal(read_image(tmp_path / 'a.jpg'), BGR)
    first, second = (Image.fromarray(scene()[..., ::step]) for step in (1, -1))
    first.save(tmp_path / 'b.png', save_all=True, append_images=[second])
    np.testing.assert_array_equal(read_image(tmp_path / 'b.png'), BGR)


@pytest.mark.parametrize('options', [{}, {'optimize': True}, {'progressive': True}])
def test_zeros_in_good_jpegs_are_no_damage(tmp_path, options):
    """Those of flat images with their own tables, and behind the end."""
    pixels = np.full((600, 600, 3), 255, np.uint8)
    pixels[:60, :60] = np.random.default_rng(0).integers(0, 256, (60, 60, 3))
    Image.fromarray(pixels).save(tmp_path / 'a.jpg', **options)
    data = (tmp_path / 'a.jpg').read_bytes()
    assert (bytes(64) in data) == bool(options)
    (tmp_path / 'a.jpg').write_bytes(data + bytes(999))
    assert read_image(tmp_path / 'a.jpg').mean() > 250


@pytest.mark.parametrize('channels', [1, 3])
def test_dark_images_of_8_bits_in_16_are_read(tmp_path, channels):
    values = np.arange(9 * 8 * channels).reshape(9, 8, channels) % 30
    cv2.imwrite(str(tmp_path / 'a.png'), (values * 257).astype(np.uint16))
    assert (read_image(tmp_path / 'a.png') == values).all()


@pytest.mark.parametrize('progressive', [False, True])
def test_flat_images_are_read(tmp_path, progressive):
    """Their data is almost nothing but zeros."""
    image = Image.new('RGB', (1500, 1000), 'white')
    image.save(tmp_path / 'a.jpg', progressive=progressive, optimize=True)
    assert (read_image(tmp_path / 'a.jpg') == 255).all()


def test_dark_images_of_16_bits_are_read(tmp_path):
    cv2.imwrite(str(tmp_path / 'a.png'), np.full((9, 8), 64 * 256, np.uint16))
    assert read_image(tmp_path / 'a.png').max() == 64
