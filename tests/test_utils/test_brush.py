"""Run lengths of Label Studio's brush."""

import numpy as np
import pytest

from mmlabelpenet.utils import decode_brush, encode_brush


def pack(bits):
    bits = bits.replace(' ', '')
    bits += '0' * (-len(bits) % 8)
    return [int(bits[start : start + 8], 2) for start in range(0, len(bits), 8)]


HEADER = f'{8:032b} 00111 0010 0011 0111 1111'


@pytest.mark.parametrize('size', [(1, 1), (3, 5), (300, 400)])
def test_masks_come_back_as_they_were(size):
    masks = np.random.default_rng(0).random((3, *size)) > 0.6
    masks[1], masks[2] = True, False
    for mask in masks:
        np.testing.assert_array_equal(decode_brush(encode_brush(mask), size), mask)


def test_runs_and_single_values_are_read_and_the_last_channel_counts():
    opaque = '1 00 010 11111111'  # three times 255
    values = '0 01 0100 ' + '00000000 00000000 00000001 00000010 00000000'
    assert decode_brush(pack(HEADER + opaque + values), (1, 2)).tolist() == [[False, False]]
    values = values[:-8] + '10000000'
    assert decode_brush(pack(HEADER + opaque + values), (1, 2)).tolist() == [[False, True]]


@pytest.mark.parametrize('rle', [pack(HEADER), []])
def test_what_is_cut_is_an_error(rle):
    with pytest.raises(ValueError, match=r'invalid literal'):
        decode_brush(rle, (1, 2))


def test_another_size_is_an_error():
    with pytest.raises(ValueError, match=r'24 bytes instead of 4 for each of'):
        decode_brush(encode_brush(np.ones((2, 3))), (3, 3))
