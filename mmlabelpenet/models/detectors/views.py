"""Images of a batch on their own, and at other sizes, where attention is read as well."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from mmlabelpenet.structures import Evidence


def rescaled(evidence: Evidence, scale: float) -> Evidence:
    """A view of an image at another size, with what attention needs to know of it.

    Args:
        evidence: With ``image`` [3, H, W].
        scale: Of its sides.

    Returns:
        Evidence with a bilinear ``image``, its own ``img_shape`` and the same ``tags``.
    """
    size = tuple(max(round(int(side) * scale), 1) for side in evidence.img_shape[:2])
    view = Evidence(metainfo=dict(evidence.metainfo) | {'img_shape': size})
    view.image = F.interpolate(
        evidence.image[None], size, mode='bilinear', align_corners=False, antialias=scale < 1
    )[0]
    if 'tags' in evidence:
        view.tags = evidence.tags
    return view


def padded_input(evidence: Evidence, size: tuple[int, int]) -> Tensor:
    """The image as a batch of one [1, 3, *size], zero below and right of it."""
    below, right = (side - own for side, own in zip(size, evidence.image.shape[1:]))
    return F.pad(evidence.image, (0, right, 0, below))[None]


def stack_maps(maps: Sequence[Tensor]) -> Tensor:
    """Maps [1, c, h_i, w_i] as one [B, c, max h, max w], borders repeated."""
    height = max(m.shape[2] for m in maps)
    width = max(m.shape[3] for m in maps)
    padded = [
        F.pad(m, (0, width - m.shape[3], 0, height - m.shape[2]), mode='replicate') for m in maps
    ]
    return torch.cat(padded)
