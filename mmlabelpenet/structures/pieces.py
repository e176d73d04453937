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


def keep_masks(pieces: Iterable[Tensor], pixels: int) -> list[Tensor] | list[dict]:
    """Masks in the form in which they are kept, a few at a time.

    Args:
        pieces: [m, H, W] bool each.
        pixels: Of all of them together; more than ``DENSE_PIXELS`` become COCO's run lengths.

    Returns:
        The pieces as they are, or the run lengths of all M masks.
    """
    if pixels <= DENSE_PIXELS:
        return list(pieces)
    return [rle for masks in pieces for rle in to_rles(masks)]


def join_masks(
    kept: list[Tensor] | list[dict], order: Tensor | None = None
) -> Tensor | list[dict]:
    """All M masks [M, H, W], or their run lengths, of :func:`keep_masks`.

    Args:
        kept: Pieces, or run lengths.
        order: [M], the place of each mask of the result among those of ``kept``.
    """
    if not kept or isinstance(kept[0], dict):
        return kept if order is None else [kept[place] for place in order.tolist()]
    if order is None:
        return torch.cat(kept)
    # Each piece is copied once, to the places of its masks.
    ranks = order.argsort()
    joined = kept[0].new_empty(len(order), *kept[0].shape[1:])
    for piece, places in zip(kept, ranks.split([len(one) for one in kept])):
        joined.index_copy_(0, places, piece)
    return joined
