"""Results with masks: refinement by colour, boxes and scores that follow from the masks."""

from collections.abc import Iterable, Iterator, Sequence

import torch
from mmengine.model import BaseModule
from mmengine.structures import InstanceData
from torch import Tensor

from mmlabelpenet.structures import Evidence, Maps, grid_size
from mmlabelpenet.structures.boxes import stretch_boxes
from mmlabelpenet.structures.components import without_islands_and_holes
from mmlabelpenet.structures.maps import inside_boxes, paste_maps, tight_boxes
from mmlabelpenet.structures.pieces import (
    COARSE_CELLS,
    join_masks,
    keep_masks,
    pieces_of,
    subsample,
)

from ..refiners import build_refiners, refine
from .mask_head import WeakMaskHead


def max_containment(masks: Tensor, labels: Tensor, cells: int = COARSE_CELLS) -> Tensor:
    """Largest share of each mask inside a better mask of its class.

    Args:
        masks: [M, H, W] bool, the best first.
        labels: [M].
        cells: Large masks are subsampled to at most so many rows and columns.

    Returns:
        [M] in 0..1: the largest share of the mask that one of those before it covers.
    """
    if len(masks) == 0:
        return masks.new_zeros(0, dtype=torch.float)
    flat = subsample(masks, cells).flatten(1).float()
    shares = (flat @ flat.T) / flat.sum(1, keepdim=True).clamp(min=1)
    return (shares * (labels[:, None] == labels)).tril(-1).amax(1)


class MaskResults(BaseModule):
    """Turns soft masks of detections into final instances.

    Args:
        refine: Config of a refiner of the masks by the colours of the image, e.g.
            ``PixelAffinity``, or a list of them, one after the other. Refined masks are divided by
            their maximum before they are cut at .5.
        refine_best: Number of detections of an image, by score, whose masks are refined.
        tighten: Share of the way that a final box moves towards the tight box of its mask.
        part_penalty: Share of its score that a detection loses where its mask lies inside that
            of a better one of its class: weak labels also find parts of objects.
        least_part: Refined masks lose their parts that have less than this share of the largest
            part's cells, and their holes; None leaves them as they are.
    """

    def __init__(
        self,
        refine: dict | Sequence[dict] | None = None,
        refine_best: int = 20,
        tighten: float = 0.0,
        part_penalty: float = 0.0,
        least_part: float | None = None,
    ) -> None:
        super().__init__()
        self.refiners = build_refiners(refine)
        self.refine_best = refine_best if self.refiners else 0
        self.tighten = tighten
        self.part_penalty = part_penalty
        self.least_part = least_part

    def refined(self, soft: Tensor, bboxes: Tensor, evidence: Evidence, stride: int) -> Maps:
        """Soft masks on a grid of the image, refined where that is configured.

        Args:
            soft: [M, size, size] in 0..1, masks of regions.
            bboxes: [M, 4] xyxy, the regions in input pixels.
            evidence: Of the image.
            stride: Of the grid that they are pasted on.

        Returns:
            [M, h', w'] in 0..1 on the grid of the last refiner.
        """
        size = grid_size(evidence.image.shape[1:], stride)
        pasted = Maps(paste_maps(soft, bboxes / stride, size), stride)
        maps = refine(self.refiners, evidence, pasted)
        if self.least_part is None or not self.refiners:
            return maps
        before = maps.values >= 0.5
        after = without_islands_and_holes(before, self.least_part)
        values = torch.where(before == after, maps.values, after.to(maps.values))
        return Maps(values, maps.stride)

    def finish(
        self, head: WeakMaskHead, soft: Tensor, result: InstanceData, evidence: Evidence
    ) -> InstanceData:
        """Add masks to one image's detections; boxes and scores follow from them.

        Args:
            head: Pastes masks that are not refined.
            soft: [M, size, size] in 0..1, of each detection's own class.
            result: M detections with ``bboxes`` in pixels of the original image, ``labels``,
                ``scores`` falling.
            evidence: With ``ori_shape``; with ``scale_factor``, ``image`` and perhaps ``flip``
                where masks are refined.

        Returns:
            The detections with ``masks`` [M, H, W] bool, or M COCO run lengths if these would take
            more than a gigabyte; ``scores`` falling.
        """
        result, order = result.clone(), None
        coarse: list[Tensor] = []
        tight: list[Tensor] = []
        height, width = evidence.ori_shape[:2]
        pieces = self._measured(self._pieces(head, soft, result, evidence), coarse, tight)
        kept = keep_masks(pieces, len(result) * height * width)
        if self.tighten > 0:
            box = torch.cat(tight)
            filled = (box[:, 2:] > box[:, :2]).all(1, keepdim=True)
            result.bboxes = result.bboxes + self.tighten * filled * (box - result.bboxes)
        if self.part_penalty > 0:
            shares = max_containment(torch.cat(coarse), result.labels)
            result.scores = result.scores * (1 - self.part_penalty * shares)
            order = result.scores.argsort(descending=True, stable=True)
            result = result[order]
        result.masks = join_masks(kept, order)
        return result

    def _measured(
        self, pieces: Iterable[Tensor], coarse: list[Tensor], tight: list[Tensor]
    ) -> Iterator[Tensor]:
        """Pass masks on, and keep what boxes and scores follow from: their pixels may not stay."""
        for masks in pieces:
            if self.part_penalty > 0:
                coarse.append(subsample(masks).clone())
            if self.tighten > 0:
                tight.append(tight_boxes(masks))
            yield masks

    def _pieces(
        self, head: WeakMaskHead, soft: Tensor, result: InstanceData, evidence: Evidence
    ) -> Iterator[Tensor]:
        """Masks [m, H, W] bool of a few detections after the other, in their order."""
        best = min(self.refine_best, len(result))
        height, width = evidence.ori_shape[:2]
        if best:
            maps = self._refined_maps(soft[:best], result[:best], evidence)
            for piece in pieces_of(0, best, height * width):
                pixels = maps[piece].on_image(evidence.ori_shape, evidence.scale_factor)
                yield (pixels >= 0.5) & inside_boxes(result.bboxes[piece], height, width)
        for piece in pieces_of(best, len(result), height * width):
            yield head.paste(soft[piece], result[piece], evidence.ori_shape)

    def _refined_maps(self, soft: Tensor, result: InstanceData, evidence: Evidence) -> Maps:
        """Masks on the grid of the last refiner."""
        if evidence.get('flip'):
            evidence = evidence.replace(image=evidence.image.flip(-1))
        boxes = stretch_boxes(result.bboxes, evidence.scale_factor)
        return self.refined(soft, boxes, evidence, self.refiners[0].stride)
