"""Backbone features of a batch: padding, and images at further scales."""

from collections.abc import Callable, Iterator, Sequence
from functools import cache

import torch
import torch.nn.functional as F
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData
from torch import Tensor, nn

from mmlabelpenet.structures import Evidence
from mmlabelpenet.utils import UserError

from ..stages import LearnedProposals


def padded_size(img_shape: Sequence[int], divisor: int) -> tuple[int, int]:
    """The size (H, W) of an image (h, w), padded to multiples of ``divisor``."""
    return -(-img_shape[0] // divisor) * divisor, -(-img_shape[1] // divisor) * divisor


def extract_by_size(
    backbone: nn.Module, batch_inputs: Tensor, img_shapes: Sequence[Sequence[int]], divisor: int
) -> tuple[Tensor, ...]:
    """Backbone maps of a batch, each image's independent of the others'.

    Images of other sizes pass alone, so that the padding of a batch does not affect them, and
    their maps are padded by repeating the border.

    Args:
        backbone: From [B, 3, H, W] to a tuple of maps.
        batch_inputs: [B, 3, H, W].
        img_shapes: (h, w) of each image; without any the batch passes as it is.
        divisor: Images are padded to multiples of it.

    Returns:
        The maps, each [B, channels, H / stride, W / stride].
    """
    sizes = [padded_size(shape, divisor) for shape in img_shapes]
    if all(size == tuple(batch_inputs.shape[-2:]) for size in sizes):
        return backbone(batch_inputs)
    singles = [
        backbone(batch_inputs[i : i + 1, :, : size[0], : size[1]]) for i, size in enumerate(sizes)
    ]
    return tuple(stack_maps(maps) for maps in zip(*singles))


def stack_maps(maps: Sequence[Tensor]) -> Tensor:
    """Maps [1, c, h_i, w_i] as one [B, c, max h, max w], borders repeated."""
    height, width = (max(m.shape[side] for m in maps) for side in (2, 3))
    gaps = [(0, width - m.shape[3], 0, height - m.shape[2]) for m in maps]
    return torch.cat([F.pad(m, gap, mode='replicate') for m, gap in zip(maps, gaps)])


class FurtherScales:
    """An image at further scales, computed when they are first iterated over.

    Phases whose pseudo instances are cached never read them, and save these passes through the
    backbone.

    Args:
        make: Computes the evidence at one scale.
        scales: Sides relative to the input's.
    """

    def __init__(self, make: Callable[[float], Evidence], scales: Sequence[float]) -> None:
        self.make = cache(lambda: [make(scale) for scale in scales])

    def __iter__(self) -> Iterator[Evidence]:
        return iter(self.make())


def image_evidence(inputs: Tensor, sample: DetDataSample, tagged: bool) -> Evidence:
    """Evidence of an image before stage 1.

    Args:
        inputs: [3, H, W], normalised and padded.
        sample: Perhaps with ``proposals``, ``tags`` and ``ignored_tags``.
        tagged: Whether tags are read where they are known.
    """
    evidence = Evidence(metainfo=dict(sample.metainfo))
    height, width = sample.img_shape[:2]
    evidence.image = inputs[:, :height, :width]
    if 'proposals' in sample:
        evidence.proposals = at_least_one(sample.proposals.bboxes, sample.img_shape)
    if tagged and 'tags' in sample:
        evidence.tags = sample.tags
        ignored = sample.get('ignored_tags')
        evidence.known = torch.ones_like(sample.tags) if ignored is None else 1 - ignored
    return evidence


def at_least_one(bboxes: Tensor, img_shape: Sequence[int]) -> InstanceData:
    """Proposals [N, 4] of an image; the whole image is one that always exists."""
    if len(bboxes) == 0:
        bboxes = bboxes.new_tensor([[0, 0, img_shape[1], img_shape[0]]])
    return InstanceData(bboxes=bboxes)


def with_proposals(
    evidence: list[Evidence],
    samples: Sequence[DetDataSample],
    learned: LearnedProposals | None,
) -> list[Evidence]:
    """Add proposals to the images that bring none, and to their samples.

    Args:
        evidence: Of a batch of images, changed in place.
        samples: Of the same images, changed in place.
        learned: What makes proposals.

    Raises:
        UserError: If proposals are missing, and there is nothing that makes them.
    """
    without = [one for one in evidence if 'proposals' not in one]
    if not without:
        return evidence
    if learned is None:
        raise UserError(
            f'{without[0].get("img_path") or "A photo"} has no proposals, and the model has not '
            "learned any: load them (LoadRegionProposals), search them (proposals='search'), or "
            'train a model with learned proposals.'
        )
    for one, sample, found in zip(
        evidence, samples, learned.propose(evidence[0].batch_feats, evidence)
    ):
        if 'proposals' not in one:
            one.proposals = at_least_one(found.bboxes, one.img_shape)
            if len(found) > 0:
                one.proposals.objectness = found.objectness
            sample.proposals = found
    return evidence


def rescaled(evidence: Evidence, scale: float, divisor: int) -> tuple[Evidence, Tensor]:
    """The evidence of an image at another scale before stage 1, and its network input.

    Args:
        evidence: With ``image`` [3, H, W].
        scale: Of its sides.
        divisor: The input is padded to multiples of it.

    Returns:
        Evidence with a bilinear ``image``, its own ``img_shape`` and the same ``tags``; and the
        input [1, 3, H', W'], padded with zeros.
    """
    height, width = (max(round(int(side) * scale), 1) for side in evidence.img_shape[:2])
    scaled = Evidence(metainfo=dict(evidence.metainfo) | {'img_shape': (height, width)})
    scaled.image = F.interpolate(
        evidence.image[None],
        (height, width),
        mode='bilinear',
        align_corners=False,
        antialias=scale < 1,
    )[0]
    if 'tags' in evidence:
        scaled.tags = evidence.tags
    rows, columns = padded_size((height, width), divisor)
    return scaled, F.pad(scaled.image, (0, columns - width, 0, rows - height))[None]
