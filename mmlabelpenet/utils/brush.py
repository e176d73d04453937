"""Run lengths of Label Studio's brush regions.

They hold the four bytes of each pixel, row by row, of which the last one is its opacity: a header
(32 bits: number of bytes; 5 bits: bits of a value - 1; 4 x 4 bits: bits of the four sizes of
lengths - 1), then blocks of one bit (1: one value; 0: a value for each), two bits (which size),
the length - 1 and the values.
"""

from collections.abc import Sequence

import numpy as np

SIZES = (3, 4, 8, 16)
CHANNELS = 4
OPAQUE = 255


def encode_brush(mask: np.ndarray) -> list[int]:
    """Encode a mask [H, W] as run lengths of a brush region, bytes in 0..255."""
    flat = np.asarray(mask, dtype=bool).ravel()
    starts = np.flatnonzero(np.diff(flat, prepend=~flat[:1]))
    values, lengths = flat[starts], np.diff(starts, append=flat.size) * CHANNELS
    header = [f'{flat.size * CHANNELS:032b}', f'{7:05b}', *(f'{size - 1:04b}' for size in SIZES)]
    blocks = (
        f'111{length - 1:016b}{OPAQUE * int(value):08b}'
        for value, whole in zip(values, lengths.tolist())
        for length in _parts(whole)
    )
    bits = ''.join([*header, *blocks])
    bits += '0' * (-len(bits) % 8)
    return list(int(bits, 2).to_bytes(len(bits) // 8, 'big'))


def _parts(length: int) -> list[int]:
    """A run as runs that are not longer than a block can be."""
    most = 1 << SIZES[-1]
    return [most] * (length // most) + [length % most] * (length % most > 0)


def decode_brush(rle: Sequence[int], size: tuple[int, int]) -> np.ndarray:
    """Decode run lengths of a brush region.

    Args:
        rle: Bytes in 0..255.
        size: (H, W) of the image.

    Returns:
        [H, W] bool, where the brush is not transparent.

    Raises:
        ValueError: If they are of an image of another size, or cut.
    """
    bits = ''.join(f'{byte:08b}' for byte in rle)
    place = 0

    def read(width: int) -> int:
        nonlocal place
        place += width
        return int(bits[place - width : place], 2)

    count, word = read(32), read(5) + 1
    if count != size[0] * size[1] * CHANNELS:
        raise ValueError(f'{count} bytes instead of {CHANNELS} for each of {size} pixels')
    sizes = [read(4) + 1 for _ in SIZES]
    found: np.ndarray = np.zeros(count, dtype=np.uint8)
    at = 0
    while at < count:
        same, length = read(1), read(sizes[read(2)]) + 1
        values = [read(word)] if same else [read(word) for _ in range(length)]
        found[at : at + length] = values
        at += length
    return found.reshape(*size, CHANNELS)[..., -1] > 0
