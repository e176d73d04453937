"""Proposal calibration: attention decides which boxes teach the detector (METHOD 5)."""

from collections.abc import Sequence

import torch
from mmdet.structures.bbox import bbox_overlaps
from mmengine.model import BaseModule, ModuleList
from mmengine.structures import InstanceData
from torch import Tensor

from mmlabelpenet.registry import MODELS
from mmlabelpenet.structures import Evidence

from ..grids import normalise, refined, tight_boxes
from ..task_modules import mine
from .attention import mean_attention
from .energy import contrast_energy, energy_share
from .instance_attention import connected_to_peak, instance_attention
from .validation import merge_validated

MODES = ('off', 'forward', 'full')
ENERGIES = ('contrast', 'share')
SEEDS = ('proposals', 'attention')


@MODELS.register_module()
class ProposalCalibration(BaseModule):
    """Re-scores proposals by attention, mines pseudo boxes, tightens them.

    Args:
        mode: ``'off'`` mines the proposal scores of stage 1 as they are; ``'forward'`` sharpens
            attention, re-scores proposals by it and moves pseudo boxes onto it; ``'full'`` also
            feeds back what the last stage finds, once the stages before it agree.
        sharpen: Config of the module that sharpens attention, e.g. ``RandomWalk``; None leaves
            the attention of stage 1.
        energy: ``'contrast'`` (:func:`contrast_energy`) or ``'share'`` (:func:`energy_share`,
            METHOD 5's ratio: it doesn't punish a box that swallows background, so it only
            serves where proposal scores do).
        threshold: Of the contrast energy.
        seeds: ``'proposals'`` mines the proposals of most energy and tightens them;
            ``'attention'`` takes, of each tagged class, the tight box of what is connected to the
            peak of its attention (:meth:`stand_out`): one pseudo instance a class, wherever the
            proposals lie. With mode ``'off'`` proposals are mined all the same.
        score_power: Exponent of stage 1's proposal scores in the calibrated score; 0 lets the
            energy alone decide.
        dilation: Factor of the sides of a pseudo box, within which its instance attention is
            read off the attention of its class.
        refine: Config of the module that sharpens instance attention by the image itself, e.g.
            ``PixelAffinity``, or a list of them, one after the other, usually from coarse to
            fine; None leaves it on the grid of the attention.
        tighten: Arguments of :meth:`tighten`; None leaves the boxes where they are. Of its
            ``threshold`` :meth:`stand_out` makes use too.
        semantic: Config of :class:`SemanticAttention`, which learns from the pseudo instances
            and adds to the attention of stage 1. It learns in the phases whose ``stages`` name
            the calibration. None, or mode ``'off'``, leaves it out.
        mining: Arguments of :func:`mine`.
        validation: Least agreement v of an instance that is fed back.
        merging: Arguments of :func:`merge_validated`.

    Raises:
        ValueError: For an unknown mode, energy or kind of seeds.

    Attributes:
        trusts_semantic: Whether semantic attention counts. While it learns alone it does not, so
            that its teacher stays the same.
    """

    def __init__(
        self,
        mode: str = 'forward',
        sharpen: dict | None = None,
        energy: str = 'contrast',
        threshold: float = 0.3,
        seeds: str = 'proposals',
        score_power: float = 0.0,
        dilation: float = 1.3,
        refine: dict | Sequence[dict] | None = None,
        tighten: dict | None = None,
        semantic: dict | None = None,
        mining: dict | None = None,
        validation: float = 0.3,
        merging: dict | None = None,
    ) -> None:
        super().__init__()
        if mode not in MODES or energy not in ENERGIES:
            raise ValueError(f'mode {mode!r} is not in {MODES} or energy {energy!r} in {ENERGIES}')
        if seeds not in SEEDS:
            raise ValueError(f'seeds {seeds!r} are not in {SEEDS}')
        self.mode = mode
        self.energy = energy
        self.threshold = threshold
        self.seeds = seeds
        self.score_power = score_power
        self.dilation = dilation
        self.tighten_cfg = tighten
        self.mining = mining or {}
        self.validation = validation
        self.merging = merging or {}
        self.sharpen = None if sharpen is None or mode == 'off' else MODELS.build(sharpen)
        refiners = [refine] if isinstance(refine, dict) else refine or []
        if mode == 'off':
            refiners = []
        self.semantic = None
        if semantic is not None and mode != 'off':
            self.semantic = MODELS.build(dict(type='SemanticAttention', **semantic))
        self.trusts_semantic = True
        self.refiners = ModuleList([MODELS.build(one) for one in refiners])

    @torch.no_grad()
    def rescore(self, feats: Sequence[Tensor], evidence: list[Evidence]) -> list[Evidence]:
        """Sharpen attention and score proposals by it; with mode ``'off'`` nothing changes.

        Args:
            feats: Backbone maps of a batch.
            evidence: With proposals, their scores and attention, perhaps that of ``views`` too.

        Returns:
            The evidence with new ``attention``, the mean over all views and their semantic
            attention, and ``proposals.scores``.
        """
        if self.mode == 'off':
            return evidence
        finer = []
        for index, one in enumerate(evidence):
            views = one.get('views', [])
            semantic = self._semantic(feats, index, one, views)
            one = self._sharpened(feats, index, one)
            if views or semantic:
                views = [self._sharpened(view.feats, 0, view) for view in views]
                one.attention, stride = mean_attention(one, [*views, *semantic])
                one.set_metainfo(dict(attention_stride=stride))
            bboxes = one.proposals.bboxes
            energy = self.box_energy(one.attention, bboxes / one.attention_stride)
            # Absent classes have attention too, divided by its own maximum: belief scales it.
            scores = energy * one.image_scores
            if self.score_power:
                scores = scores * one.proposals.scores**self.score_power
            one.proposals = InstanceData(bboxes=bboxes, scores=scores)
            finer.append(one)
        return finer

    def _semantic(
        self, feats: Sequence[Tensor], index: int, one: Evidence, views: Sequence[Evidence]
    ) -> list[Evidence]:
        """An image and its views, seen by the semantic attention; none where there is none."""
        if self.semantic is None or not self.trusts_semantic:
            return []
        seen = [(one, feats, index), *((view, view.feats, 0) for view in views)]
        return [self.semantic.look(maps, place, view) for view, maps, place in seen]

    def _sharpened(self, feats: Sequence[Tensor], index: int, one: Evidence) -> Evidence:
        one = one.clone()
        if self.sharpen is not None:
            one.attention = self.sharpen(
                feats, index, one.attention, one.attention_stride, one.img_shape
            )
            one.set_metainfo(dict(attention_stride=self.sharpen.stride))
        return one

    def box_energy(self, attention: Tensor, bboxes: Tensor) -> Tensor:
        """Energy [N, C] of boxes [N, 4] in cells, of the kind that was chosen."""
        if self.energy == 'contrast':
            return contrast_energy(attention, bboxes, self.threshold)
        return energy_share(attention, bboxes)

    @torch.no_grad()
    def forward(self, feats: Sequence[Tensor], evidence: list[Evidence]) -> list[Evidence]:
        """Re-score proposals and choose pseudo instances for the detector.

        Args:
            feats: Backbone maps of a batch.
            evidence: What stage 1 hands on, with tags.

        Returns:
            The evidence with ``pseudo_instances`` of tagged classes and their instance
            attention; their weights are the image score of the class times the score's share
            of the class's best, or, with mode ``'off'``, the score itself as in OICR.
        """
        choose = self._mined
        if self.seeds == 'attention' and self.mode != 'off':
            choose = self.stand_out
        finer = []
        for one in self.rescore(feats, evidence):
            one = one.clone()
            one.pseudo_instances = choose(one)
            finer.append(one)
        return finer

    def _mined(self, evidence: Evidence) -> InstanceData:
        """Mined and tightened proposals of one image, which is told their ``instance_stride``."""
        proposals = evidence.proposals
        pseudo = mine(proposals.bboxes, proposals.scores, evidence.tags, **self.mining)
        pseudo.weights = pseudo.scores
        boxes = pseudo.bboxes / evidence.attention_stride
        maps = instance_attention(evidence.attention, boxes, pseudo.labels, self.dilation)
        pseudo.attention = self._refined(evidence, maps)
        if self.mode != 'off':
            best = proposals.scores.amax(0)[pseudo.labels].clamp(min=1e-6)
            pseudo.weights = evidence.image_scores[pseudo.labels] * pseudo.scores / best
            if self.tighten_cfg is not None:
                pseudo = self.tighten(evidence, pseudo, **self.tighten_cfg)
        return pseudo

    def stand_out(self, evidence: Evidence) -> InstanceData:
        """Pseudo instances where the attention of a whole image peaks, one a tagged class.

        Args:
            evidence: With ``tags``, ``image_scores``, ``attention``, ``attention_stride``,
                ``img_shape`` and, where attention is refined, ``image``; is told the
                ``instance_stride``.

        Returns:
            M instances with ``bboxes``, ``labels``, ``scores`` and ``weights`` (the image
            score of the class, 0 where it has no attention at all: the box is the image then)
            and ``attention`` on the grid of that stride.
        """
        labels = evidence.tags.nonzero()[:, 0]
        maps = self._refined(evidence, evidence.attention[labels])
        stride = evidence.instance_stride
        share = (self.tighten_cfg or {}).get('threshold', 0.5)
        height, width = evidence.img_shape[:2]
        image = maps.new_tensor([0, 0, width, height])
        boxes = (tight_boxes(connected_to_peak(maps, share)) * stride).minimum(image[[2, 3, 2, 3]])
        found = (boxes[:, 2] > 0) & (boxes[:, 3] > 0)
        boxes = torch.where(found[:, None], boxes, image)
        scores = evidence.image_scores[labels] * found
        own = torch.arange(len(labels), device=labels.device)
        attention = instance_attention(maps, boxes / stride, own, self.dilation)
        return InstanceData(
            bboxes=boxes, labels=labels, scores=scores, weights=scores, attention=attention
        )

    def loss(self, feats: Sequence[Tensor], evidence: list[Evidence]) -> dict[str, Tensor]:
        """What the semantic attention learns from calibrated evidence: ``loss_semantic``.

        Args:
            feats: Backbone maps of a batch.
            evidence: After the calibration, and perhaps with ``views``.
        """
        if self.semantic is None:
            return {}
        return dict(loss_semantic=self.semantic.loss(feats, evidence))

    @torch.no_grad()
    def feedback(self, evidence: list[Evidence]) -> list[Evidence]:
        """Let validated instances of tagged classes replace or extend the pseudo instances.

        Args:
            evidence: On its way back: with ``found`` and with the agreement of both ``found``
                and ``pseudo_instances``, as :meth:`DetectionStage.validate` gives it.

        Returns:
            The evidence with new ``pseudo_instances``, weighted by their agreement, those that
            stay too unless they had no weight.
        """
        finer = []
        for one in evidence:
            one = one.clone()
            found = one.found
            tagged = one.tags[found.labels] > 0
            found = found[tagged & (found.agreement >= self.validation)]
            found.weights = found.agreement
            found.attention = normalise(found.masks)
            pseudo = one.pseudo_instances.clone()
            pseudo.weights = pseudo.agreement * (pseudo.weights > 0)
            shared = InstanceData(**{key: found.get(key) for key, _ in pseudo.items()})
            one.pseudo_instances = merge_validated(pseudo, shared, **self.merging)
            finer.append(one)
        return finer

    def _refined(self, evidence: Evidence, maps: Tensor) -> Tensor:
        """Maps [M, h, w] sharpened; ``instance_stride`` tells the grid that they end on."""
        stride = evidence.attention_stride
        maps, stride = refined(self.refiners, evidence.get('image'), maps, stride)
        evidence.set_metainfo(dict(instance_stride=stride))
        return maps

    @staticmethod
    def tighten(
        evidence: Evidence, pseudo: InstanceData, threshold: float = 0.5, min_iou: float = 0.5
    ) -> InstanceData:
        """Move each pseudo box onto the attention that it stands on.

        Args:
            evidence: With ``img_shape`` and ``instance_stride``.
            pseudo: M instances with ``bboxes`` [M, 4] in input pixels and ``attention``
                [M, h, w].
            threshold: Share of the attention's peak that belongs to the object.
            min_iou: A tight box that agrees less with the old one is not taken.

        Returns:
            The instances with new ``bboxes``, within the image.
        """
        height, width = evidence.img_shape[:2]
        component = connected_to_peak(pseudo.attention, threshold)
        tight = tight_boxes(component) * evidence.instance_stride
        limit = tight.new_tensor([width, height, width, height])
        tight = tight.minimum(limit)
        agree = bbox_overlaps(pseudo.bboxes, tight, is_aligned=True) >= min_iou
        pseudo = pseudo.clone()
        pseudo.bboxes = torch.where(agree[:, None], tight, pseudo.bboxes)
        return pseudo
