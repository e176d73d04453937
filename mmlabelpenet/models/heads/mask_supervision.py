"""Supervision of a mask head by soft maps of pseudo instances."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from mmcv.ops import roi_align
from mmengine.structures import InstanceData
from torch import Tensor

from mmlabelpenet.structures import Evidence, Maps

from ..task_modules import assign_pseudo_labels, sample_rois


def mask_targets(maps: Maps, bboxes: Tensor, assigned: Tensor, size: int) -> Tensor:
    """Crop the map of its instance for every region.

    Args:
        maps: [M, h, w] in 0..1.
        bboxes: [K, 4] xyxy in input pixels.
        assigned: [K], index of the map of each region.
        size: Side of a target.

    Returns:
        [K, size, size] in 0..1, bilinear.
    """
    rois = torch.cat([assigned[:, None].to(bboxes), bboxes / maps.stride], dim=1)
    values = maps.values[:, None].float().contiguous()
    return roi_align(values, rois, size, 1.0, 2, 'avg', True)[:, 0]


def teaching_regions(regions: InstanceData) -> InstanceData:
    """Those of the regions that have a weight; the first one if none has."""
    kept = regions.weights > 0
    kept[0] |= ~kept.any()
    return regions[kept.nonzero()[:, 0]]


@dataclass
class MaskSupervision:
    """Regions and trimaps by which pseudo instances supervise a mask head.

    Attributes:
        num_classes: C.
        foreground: Least value of a map that is foreground.
        background: Greatest value that is background; pixels in between are ignored.
        num_samples: Regions drawn from an image.

    Raises:
        ValueError: If some values were both foreground and background.
    """

    num_classes: int
    foreground: float = 0.5
    background: float = 0.1
    num_samples: int = 16

    def __post_init__(self) -> None:
        if self.background > self.foreground:
            raise ValueError(
                f'mask_supervision.background {self.background} is above foreground '
                f'{self.foreground}'
            )

    @torch.no_grad()
    def regions(self, evidence: Sequence[Evidence]) -> list[InstanceData]:
        """Draw at most ``num_samples`` regions around the pseudo instances of each image.

        A GPU always gets as many as there can be, some of weight 0, so that no number is read back
        from it. A CPU saves those, but for one of each image that keeps the loss connected.

        Returns:
            For each image regions as :func:`assign_pseudo_labels` describes them.
        """
        pseudo = [one.pseudo_instances for one in evidence]
        bboxes = [torch.cat([p.bboxes, e.proposals.bboxes]) for p, e in zip(pseudo, evidence)]
        assigned = assign_pseudo_labels(bboxes, pseudo, self.num_classes, neg_iou=(0.0, 0.0))
        for one, instances in zip(assigned, pseudo):
            if len(instances) == 0:
                one.weights = torch.zeros_like(one.weights)
                one.labels = torch.zeros_like(one.labels)
        drawn = sample_rois(assigned, self.num_classes, self.num_samples, pos_fraction=1.0)
        if bboxes[0].device.type != 'cpu':
            return drawn
        return [teaching_regions(one) for one in drawn]

    @torch.no_grad()
    def targets(self, maps: Maps, regions: InstanceData, size: int) -> tuple[Tensor, Tensor]:
        """Binary targets and valid pixels of regions.

        Args:
            maps: [M, h, w] in 0..1 of the pseudo instances.
            regions: K regions as :meth:`regions` gives them.
            size: Side of a target.

        Returns:
            Both [K, size, size]: 1.0 for foreground; False for ignored pixels.
        """
        if len(maps.values) == 0:
            none = maps.values.new_zeros(len(regions), size, size)
            return none, none.bool()
        soft = mask_targets(maps, regions.bboxes, regions.assigned, size)
        foreground = soft >= self.foreground
        return foreground.float(), foreground | (soft <= self.background)
