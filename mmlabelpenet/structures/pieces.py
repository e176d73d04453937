"""Masks of large images, which are made a few at a time and kept as run lengths."""

from collections.abc import Iterable, Iterator

import torch
from torch import Tensor

from mmlabelpenet.utils import to_rles

# Masks of an image are run lengths if all of them have more pixels together (1 GiB).
DENSE_PIXELS = 2**30
# Masks are made a few at a time, of so many pixels together.
PIECE_PIXELS = 2**27
# Masks are compared on at most so many rows and columns.
COARSE_CELLS = 256


def pieces_of(start: int, stop: int, pixels: int) -> Iterator[slice]:
    """Slices of the masks from ``start`` to ``stop``; one that is empty if there are none.

    Args:
        start: Of the first slice.
        stop: End of the last slice.
        pixels: Of each mask.
    """
    count = max(1, PIECE_PIXELS // max(1, pixels))
    for first in range(start, max(stop, start + 1), count):
        yield slice(first, min(first + count, stop))


def subsample(masks: Tensor, cells: int = COARSE_CELLS) -> Tensor:
    """Every n-th row and column of masks [M, H, W], at most ``cells`` of each."""
    step = -(-max(masks.shape[1:]) // cells)
    return masks[:, ::step, ::step]


def collect_masks(pieces: Iterable[Tensor], pixels: int) -> Tensor | list[dict]:
    """Put masks together.

    Args:
        pieces: [m, H, W] bool each.
        pixels: Of all of them together; more than ``DENSE_PIXELS`` become COCO's run lengths.

    Returns:
        All M masks [M, H, W], or their run lengths.
    """
    if pixels <= DENSE_PIXELS:
        return torch.cat(list(pieces))
    return [rle for masks in pieces for rle in to_rles(masks)]
