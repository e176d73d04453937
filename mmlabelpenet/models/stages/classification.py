"""Module 1: multi-label classification, from tags to scored proposals and attention."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmdet.structures.bbox import bbox2roi
from mmengine.structures import InstanceData
from torch import Tensor, nn

from mmlabelpenet.registry import MODELS
from mmlabelpenet.structures import Evidence, Maps

from ..attention import RegionExcitation
from ..calibration import contrast_energy
from ..task_modules import draw_boxes
from .base import RegionStage


@MODELS.register_module()
class ClassificationStage(RegionStage):
    """Learns from tags which classes an image holds, and where (docs/paper/method.md).

    Two parts learn side by side: a linear classifier of the whole image, which the attention
    source reads, and the two streams of WSDDN over the proposals.

    Args:
        num_classes: C.
        attention: Config of the attention source, e.g. ``dict(type='CAMAttention', ...)``.
        roi_features: Arguments of :class:`RoIFeatures`; None leaves the proposal streams out.
            With a ``context`` the weights of the rings around proposals are subtracted from those
            of their regions: a part of an object has more of it around itself, so the whole
            object wins (contrastive model S of Kantorov et al., ContextLocNet, ECCV 2016).
        contrast_classes: Whether the class logits of the rings are subtracted too, so that whole
            scores are in contrast.
        loss_cls: ``WSDDNLoss`` or ``SoftmaxTagLoss`` of the proposal streams.
        loss_image_weight: Factor of the whole image's loss.
        loss_region_weight: Factor of the loss on validated instances.
        num_samples: Proposals drawn from an image for the loss; None takes all.
        score_proposals: Whether proposals get the scores of the two streams; without it all
            proposals score the same and the calibration's energy decides.
        energy_threshold: Replace the streams' scores by the class's image score times the
            contrast energy of the raw attention (:func:`contrast_energy` with this threshold)
            relative to the best proposal: a stage 1 that localises without streams and without
            calibration.
        key_regions: Number of best proposals of each class whose key pixels, by contrastive
            Excitation Backpropagation from the class stream through the fully connected layers
            (:class:`RegionExcitation`), are averaged with the attention; 0 leaves the attention.
        test_cfg: Arguments of :func:`select_detections`.
        init_cfg: mmengine's initialisation.

    Raises:
        ValueError: If there shall be key pixels, but no proposal streams that score.
    """

    needs = ('classification', 'calibration')

    def __init__(
        self,
        num_classes: int,
        attention: dict,
        roi_features: dict | None = None,
        contrast_classes: bool = False,
        loss_cls: dict | None = None,
        loss_image_weight: float = 1.0,
        loss_region_weight: float = 1.0,
        num_samples: int | None = None,
        score_proposals: bool = True,
        energy_threshold: float | None = None,
        key_regions: int = 0,
        test_cfg: dict | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        self.num_classes = num_classes
        self.contrast_classes = contrast_classes
        self.loss_image_weight = loss_image_weight
        self.loss_region_weight = loss_region_weight
        self.num_samples = num_samples
        self.score_proposals = score_proposals and roi_features is not None
        self.energy_threshold = energy_threshold
        self.key_regions = key_regions
        if key_regions and not self.score_proposals:
            raise ValueError('key_regions needs the scores of proposal streams (roi_features)')
        self.test_cfg = test_cfg or {}
        self.attention = MODELS.build(dict(num_classes=num_classes, **attention))
        self.has_streams = roi_features is not None
        if roi_features is not None:
            self.roi_features = MODELS.build(dict(type='RoIFeatures', **roi_features))
            self.fc_class = nn.Linear(self.roi_features.out_channels, num_classes)
            self.fc_weight = nn.Linear(self.roi_features.out_channels, num_classes)
            self.loss_cls = MODELS.build(loss_cls or dict(type='WSDDNLoss'))

    def use_backbone(self, backbone: nn.Module) -> None:
        """Pass the backbone on to the attention source."""
        self.attention.use_backbone(backbone)

    def loss(self, feats: Sequence[Tensor], evidence: list[Evidence]) -> dict[str, Tensor]:
        """Tag losses ``loss_image`` and, with proposal streams, ``loss_proposals``.

        The classifier learns from all ``scales`` of the images with the same weight, since its
        attention is read at all of them.

        On the way back the evidence has pseudo instances, and there is ``loss_region`` too: the
        classifier learns from each of them as from a small image.
        """
        tags, known = (torch.stack([e.get(key) for e in evidence]) for key in ('tags', 'known'))
        logits = self._logits_of_scales(evidence).float()
        loss_image = F.binary_cross_entropy_with_logits(
            logits, tags.expand_as(logits), weight=known.expand_as(logits), reduction='sum'
        )
        losses = dict(loss_image=self.loss_image_weight * loss_image / logits[..., 0].numel())
        if self.has_streams:
            scores = self.proposal_scores(feats, self._drawn(evidence))
            streams = [self.loss_cls(s, e.tags, e.known) for s, e in zip(scores, evidence)]
            losses['loss_proposals'] = torch.stack(streams).mean()
        if 'pseudo_instances' in evidence[0]:
            regions = [self._region_loss(e) for e in evidence]
            losses['loss_region'] = self.loss_region_weight * torch.stack(regions).mean()
        return losses

    def _logits_of_scales(self, evidence: list[Evidence]) -> Tensor:
        """Logits [S, B, C] of B images at each of S scales, the input's own first."""
        logits = [self.attention.image_logits(evidence)]
        for scaled in zip(*(one.get('scales', ()) for one in evidence)):
            logits.append(torch.cat([self.attention.image_logits([one]) for one in scaled]))
        return torch.stack(logits)

    def _region_loss(self, evidence: Evidence) -> Tensor:
        """Loss of the pseudo instances of one image, weighted by their weights."""
        pseudo = evidence.pseudo_instances
        logits = self.attention.region_logits(evidence, pseudo.bboxes)
        targets = F.one_hot(pseudo.labels, self.num_classes).float()
        # Objects of other tagged classes may well lie in the box.
        known = torch.maximum(evidence.known * (1 - evidence.tags), targets)
        loss = F.binary_cross_entropy_with_logits(logits, targets, known, reduction='none').sum(1)
        return (loss * pseudo.weights).sum() / pseudo.weights.sum().clamp(min=1)

    def _drawn(self, evidence: list[Evidence]) -> list[Tensor]:
        return [draw_boxes(e.proposals.bboxes, self.num_samples) for e in evidence]

    def proposal_scores(self, feats: Sequence[Tensor], bboxes: Sequence[Tensor]) -> list[Tensor]:
        """Scores x^1 of proposals, for each image [N_i, C] (boxes [N_i, 4] in input pixels)."""
        rois = bbox2roi(list(bboxes))
        vectors = self.roi_features(feats, rois)
        class_logits, weight_logits = (
            self.fc_class(vectors).float(),
            self.fc_weight(vectors).float(),
        )
        if self.roi_features.context is not None:
            around = self.roi_features(feats, rois, around=True)
            weight_logits = weight_logits - self.fc_weight(around).float()
            if self.contrast_classes:
                class_logits = class_logits - self.fc_class(around).float()
        sizes = [len(boxes) for boxes in bboxes]
        pairs = zip(class_logits.split(sizes), weight_logits.split(sizes))
        return [self.loss_cls.proposal_scores(*pair) for pair in pairs]

    def image_scores(self, evidence: Sequence[Evidence]) -> Tensor:
        """Probability [B, C] that a class is present in the image."""
        return self.attention.image_logits(evidence).float().sigmoid()

    @torch.no_grad()
    def propagate(self, feats: Sequence[Tensor], evidence: list[Evidence]) -> list[Evidence]:
        """Add image scores, proposal scores and attention; to further scales attention alone."""
        image_scores = self.image_scores(evidence)
        maps = [self.attention(one) for one in evidence]
        scores = self._scores(feats, evidence, image_scores, maps)
        if self.key_regions:
            maps = [self._with_keys(*parts) for parts in zip(evidence, maps, scores)]
        return [
            one.replace(
                image_scores=image_score,
                attention=attention,
                proposals=_with_scores(one.proposals, score.clamp(min=0)),
                scales=[s.replace(attention=self.attention(s)) for s in one.get('scales', ())],
            )
            for one, image_score, score, attention in zip(evidence, image_scores, scores, maps)
        ]

    def _scores(
        self,
        feats: Sequence[Tensor],
        evidence: list[Evidence],
        image_scores: Tensor,
        maps: Sequence[Maps],
    ) -> list[Tensor]:
        """Scores [N, C] of each image's proposals."""
        if self.energy_threshold is not None:
            energies = [
                contrast_energy(attention, one.proposals.bboxes, self.energy_threshold)
                for one, attention in zip(evidence, maps)
            ]
            best = [energy.amax(0).clamp(min=1e-6) for energy in energies]
            return [s * (e / b) for s, e, b in zip(image_scores, energies, best)]
        if self.score_proposals:
            return self.proposal_scores(feats, [e.proposals.bboxes for e in evidence])
        return [s.expand(len(e.proposals), -1) for s, e in zip(image_scores, evidence)]

    infer = propagate

    def _with_keys(self, evidence: Evidence, attention: Maps, scores: Tensor) -> Maps:
        """Attention [C, h, w] averaged with the key pixels of the best proposals of its classes.

        Args:
            evidence: Of one image; classes that are known to be untagged are left out.
            attention: Of the whole image.
            scores: [N, C] of its proposals, which weight the key pixels.
        """
        wanted = evidence.get('tags', scores.new_ones(self.num_classes)).nonzero()[:, 0]
        best = scores[:, wanted].topk(min(self.key_regions, len(scores)), dim=0)
        bboxes = evidence.proposals.bboxes[best.indices.flatten()]
        walk = RegionExcitation(self.roi_features, evidence.feats, bboxes)
        weights = self.fc_class.weight[wanted.repeat(len(best.indices))]
        keys = walk.key_pixels(weights, torch.arange(len(bboxes), device=bboxes.device), True)
        grid = attention.values.shape[1:]
        keys = keys.clamp(min=0) * best.values.flatten()[:, None, None]
        summed = keys.unflatten(0, best.values.shape).sum(0)
        summed = Maps(summed, walk.fusion.stride).resample(attention.stride, grid)
        values = attention.values.index_add(0, wanted, summed.normalise().values)
        return Maps(values, attention.stride).normalise()

    def score_regions(
        self, feats: Sequence[Tensor], evidence: list[Evidence]
    ) -> list[tuple[Tensor, Tensor]]:
        """The scored proposals of ``evidence``."""
        return [(e.proposals.scores, e.proposals.bboxes) for e in evidence]


def _with_scores(proposals: InstanceData, scores: Tensor) -> InstanceData:
    proposals = proposals.clone()
    proposals.scores = scores
    return proposals
