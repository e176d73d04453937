"""Module 2: object detection, from scored proposals to boxes."""

from collections.abc import Sequence

import torch
from mmengine.structures import InstanceData
from torch import Tensor

from mmlabelpenet.registry import MODELS
from mmlabelpenet.structures import Evidence, Maps
from mmlabelpenet.structures.boxes import box_iou
from mmlabelpenet.structures.selecting import kept_indices

from ..attention import RegionExcitation
from ..calibration import instance_attention, key_share
from ..task_modules import draw_boxes, mine
from .base import BoxStage


@MODELS.register_module()
class DetectionStage(BoxStage):
    """Fast R-CNN type detector supervised by the pseudo boxes (docs/paper/method.md).

    Args:
        num_classes: C.
        box_head: Arguments of :class:`WeakBoxHead`. With several branches, each further one is
            supervised by the boxes of the one before (OICR); all drawn proposals must learn then.
        mining: Arguments of :func:`mine` for further branches and :meth:`propagate`.
        max_proposals: Proposals drawn from an image at random before any assignment, on which
            further branches mine too; None takes all.
        extend_score: :meth:`propagate` adds own detections of tagged classes with at least
            this score that overlap no pseudo box of their class; None adds none.
        extend_iou: Greatest IoU of an added box with a pseudo box of its class.
        contrastive: Whether the key pixels of :meth:`validate` are contrastive.
        test_cfg: Arguments of :func:`select_detections`.
        init_cfg: mmengine's initialisation.

    Raises:
        ValueError: If several branches are set with a sample of the proposals.
    """

    def __init__(
        self,
        num_classes: int,
        box_head: dict,
        mining: dict | None = None,
        max_proposals: int | None = None,
        extend_score: float | None = None,
        extend_iou: float = 0.3,
        contrastive: bool = True,
        test_cfg: dict | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        self.num_classes = num_classes
        self.mining = mining or {}
        self.max_proposals = max_proposals
        self.extend_score = extend_score
        self.extend_iou = extend_iou
        self.contrastive = contrastive
        self.test_cfg = test_cfg or {}
        self.box_head = MODELS.build(dict(type='WeakBoxHead', num_classes=num_classes, **box_head))
        if self.box_head.num_branches > 1 and self.box_head.num_samples is not None:
            raise ValueError('several branches need num_samples=None: each mines all proposals')

    def loss(self, feats: Sequence[Tensor], evidence: list[Evidence]) -> dict[str, Tensor]:
        """Losses of every branch; boxes are regressed towards the last one's pseudo boxes."""
        drawn = [draw_boxes(e.proposals.bboxes, self.max_proposals) for e in evidence]
        regions = self.box_head.sample(drawn, [e.pseudo_instances for e in evidence])
        logits, deltas = self.box_head(feats, [region.bboxes for region in regions])
        last = self.box_head.num_branches - 1
        losses: dict[str, Tensor] = {}
        for branch in range(last + 1):
            if branch > 0:
                regions = self._refine(regions, logits[:, branch - 1], evidence)
            branch_losses = self.box_head.loss(
                logits[:, branch], deltas if branch == last else None, regions
            )
            suffix = '' if last == 0 else f'_{branch}'
            losses |= {f'{name}{suffix}': value for name, value in branch_losses.items()}
        return losses

    @torch.no_grad()
    def _refine(
        self, regions: list[InstanceData], logits: Tensor, evidence: list[Evidence]
    ) -> list[InstanceData]:
        scores = logits.float().softmax(-1)[:, :-1].split([len(region) for region in regions])
        bboxes = [region.bboxes for region in regions]
        mined = self._mined(bboxes, scores, evidence)
        return self.box_head.assign(bboxes, mined)

    def _mined(
        self, bboxes: Sequence[Tensor], scores: Sequence[Tensor], evidence: Sequence[Evidence]
    ) -> list[InstanceData]:
        """Pseudo instances of own scores, which are their weights."""
        mined = mine(bboxes, scores, [one.tags for one in evidence], **self.mining)
        for one in mined:
            one.weights = one.scores
        return mined

    @torch.no_grad()
    def propagate(self, feats: Sequence[Tensor], evidence: list[Evidence]) -> list[Evidence]:
        """Extend the pseudo instances by confident detections that lie elsewhere."""
        if self.extend_score is None:
            return evidence
        scores, bboxes = zip(*self.score_regions(feats, evidence))
        found = self._mined(bboxes, scores, evidence)
        new = kept_indices([self._is_new(*pair) for pair in zip(evidence, found)])
        return [self._extended(*parts) for parts in zip(evidence, found, new)]

    def _is_new(self, evidence: Evidence, found: InstanceData) -> Tensor:
        """Which instances are confident and overlap no pseudo instance of their class [M]."""
        known = evidence.pseudo_instances
        overlaps = box_iou(found.bboxes, known.bboxes)
        overlaps = overlaps * (found.labels[:, None] == known.labels[None])
        known_too = (overlaps >= self.extend_iou).any(1)
        return ~known_too & (found.scores >= self.extend_score) & (len(known) > 0)

    def _extended(self, evidence: Evidence, found: InstanceData, new: Tensor) -> Evidence:
        known = evidence.pseudo_instances
        maps = instance_attention(evidence.attention, found.bboxes, found.labels)
        size = known.attention.shape[-2:]
        found.attention = maps.resample(evidence.instance_stride, size).values
        return evidence.replace(pseudo_instances=InstanceData.cat([known, found[new]]))

    @torch.no_grad()
    def validate(self, feats: Sequence[Tensor], evidence: list[Evidence]) -> list[Evidence]:
        """Add the agreement of this stage with ``found`` and with the pseudo instances.

        An instance passes through the head as a region: its agreement is the probability of its
        class there, times the share of the class's key pixels inside its mask.

        Returns:
            The evidence with ``agreement`` [M] in 0..1 in ``found`` and ``pseudo_instances``.
        """
        return [self._agreed(one) for one in evidence]

    def _agreed(self, evidence: Evidence) -> Evidence:
        """The evidence of one image, all of whose instances pass the head together."""
        parts = {name: evidence.get(name).clone() for name in ('found', 'pseudo_instances')}
        together = InstanceData.cat(
            [
                InstanceData(
                    bboxes=one.bboxes,
                    labels=one.labels,
                    masks=one.masks if 'masks' in one else one.attention,
                )
                for one in parts.values()
            ]
        )
        agreement = self.agreement(evidence.feats, together, evidence.instance_stride)
        sizes = [len(one) for one in parts.values()]
        for one, own in zip(parts.values(), agreement.split(sizes)):
            one.agreement = own
        return evidence.replace(**parts)

    def agreement(
        self, feats: Sequence[Tensor], instances: InstanceData, mask_stride: int
    ) -> Tensor:
        """Agreement v [M] with instances of one image.

        Args:
            feats: Backbone maps of the image, each [1, c, h, w].
            instances: M with ``bboxes``, ``labels`` and soft ``masks`` [M, h', w'].
            mask_stride: Of the grid of the masks.
        """
        labels = instances.labels
        each = torch.arange(len(labels), device=labels.device)
        if len(labels) == 0:
            return instances.bboxes.new_zeros(0)
        walk = RegionExcitation(self.box_head.roi_features, feats, instances.bboxes)
        branches = (self.box_head.num_branches, self.num_classes + 1)
        logits = self.box_head.fc_cls(walk.vectors).float().unflatten(1, branches)
        probability = logits.softmax(-1).mean(1)[each, labels]
        weights = self.box_head.fc_cls.weight.unflatten(0, branches)[-1][labels]
        keys = walk.key_pixels(weights, each, self.contrastive).clamp(min=0)
        masks = Maps(instances.masks, mask_stride)
        return probability * key_share(Maps(keys, walk.fusion.stride), masks)
