"""Module 1: multi-label classification, from tags to scored proposals and attention."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmdet.structures.bbox import bbox2roi
from mmengine.structures import InstanceData
from torch import Tensor, nn

from mmlabelpenet.registry import MODELS
from mmlabelpenet.structures import Evidence

from ..calibration.energy import contrast_energy
from ..task_modules import draw_boxes, select_detections
from .base import Stage


@MODELS.register_module()
class ClassificationStage(Stage):
    """Learns from tags which classes an image holds, and where (METHOD 3.1).

    Two parts learn side by side: a linear classifier of the whole image, which the attention
    source reads, and the two streams of WSDDN over the proposals.

    Args:
        num_classes: C.
        attention: Config of the attention source, e.g. ``dict(type='CAMAttention', ...)``.
        roi_features: Arguments of :class:`RoIFeatures`; None leaves the proposal streams out.
            With a ``context`` the weights of proposals are those of their regions less those of
            the rings around them: a part of an object has more of it around itself, so the whole
            stands out (contrastive model S of Kantorov et al., ContextLocNet, ECCV 2016).
        loss_cls: ``WSDDNLoss`` or ``SoftmaxTagLoss`` of the proposal streams.
        loss_image_weight: Factor of the whole image's loss.
        loss_region_weight: Factor of the loss on validated instances.
        num_samples: Proposals drawn from an image for the loss; None takes all.
        score_proposals: Whether to hand on proposal scores of the two streams; without it all
            proposals score alike and the calibration's energy decides.
        energy_threshold: Hand on, in place of the streams' scores, the class's image score times
            the contrast energy of the attention as it is (:func:`contrast_energy` with this
            threshold) relative to the best proposal: a stage 1 that localises without streams
            and without calibration.
        test_cfg: Arguments of :func:`select_detections`.
        init_cfg: mmengine's initialisation.
    """

    def __init__(
        self,
        num_classes: int,
        attention: dict,
        roi_features: dict | None = None,
        loss_cls: dict | None = None,
        loss_image_weight: float = 1.0,
        loss_region_weight: float = 1.0,
        num_samples: int | None = None,
        score_proposals: bool = True,
        energy_threshold: float | None = None,
        test_cfg: dict | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        self.num_classes = num_classes
        self.loss_image_weight = loss_image_weight
        self.loss_region_weight = loss_region_weight
        self.num_samples = num_samples
        self.score_proposals = score_proposals and roi_features is not None
        self.energy_threshold = energy_threshold
        self.test_cfg = test_cfg or {}
        self.attention = MODELS.build(dict(num_classes=num_classes, **attention))
        self.has_streams = roi_features is not None
        if roi_features is not None:
            self.roi_features = MODELS.build(dict(type='RoIFeatures', **roi_features))
            self.fc_class = nn.Linear(self.roi_features.out_channels, num_classes)
            self.fc_weight = nn.Linear(self.roi_features.out_channels, num_classes)
            self.loss_cls = MODELS.build(loss_cls or dict(type='WSDDNLoss'))

    def loss(self, feats: Sequence[Tensor], evidence: list[Evidence]) -> dict[str, Tensor]:
        """Tag losses ``loss_image`` and, with proposal streams, ``loss_proposals``.

        The classifier learns from ``views`` of the images as from the images, each size counting
        alike, since attention is read off it at all of them.

        On the way back, where the evidence has pseudo instances already, ``loss_region`` too:
        the classifier learns from each of them as from a small image (METHOD 5).
        """
        tags = torch.stack([e.tags for e in evidence])
        known = torch.stack([e.known for e in evidence])
        logits = self._logits_of_sizes(feats, evidence).float()
        loss_image = F.binary_cross_entropy_with_logits(
            logits, tags.expand_as(logits), weight=known.expand_as(logits), reduction='sum'
        )
        images = len(logits) * len(evidence)
        losses = dict(loss_image=self.loss_image_weight * loss_image / images)
        if self.has_streams:
            scores = self.proposal_scores(feats, self._drawn(evidence))
            streams = [self.loss_cls(s, e.tags, e.known) for s, e in zip(scores, evidence)]
            losses['loss_proposals'] = torch.stack(streams).mean()
        if 'pseudo_instances' in evidence[0]:
            regions = [self._region_loss(feats, i, e) for i, e in enumerate(evidence)]
            losses['loss_region'] = self.loss_region_weight * torch.stack(regions).mean()
        return losses

    def _logits_of_sizes(self, feats: Sequence[Tensor], evidence: list[Evidence]) -> Tensor:
        """Logits [S, B, C] of B images at each of S sizes, their own first."""
        sizes = [self.attention.image_logits(feats, [e.img_shape for e in evidence])]
        for views in zip(*(e.get('views', []) for e in evidence)):
            logits = [self.attention.image_logits(v.feats, [v.img_shape]) for v in views]
            sizes.append(torch.cat(logits))
        return torch.stack(sizes)

    def _region_loss(self, feats: Sequence[Tensor], index: int, evidence: Evidence) -> Tensor:
        """Loss of the pseudo instances of one image, weighted by their weights."""
        pseudo = evidence.pseudo_instances
        logits = self.attention.region_logits(feats, index, evidence.img_shape, pseudo.bboxes)
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
        class_logits = self.fc_class(vectors).float()
        weight_logits = self.fc_weight(vectors).float()
        if self.roi_features.context is not None:
            around = self.roi_features(feats, rois, around=True)
            weight_logits = weight_logits - self.fc_weight(around).float()
        sizes = [len(boxes) for boxes in bboxes]
        pairs = zip(class_logits.split(sizes), weight_logits.split(sizes))
        return [self.loss_cls.proposal_scores(c, w) for c, w in pairs]

    def _energy(self, evidence: Evidence, attention: Tensor, threshold: float) -> Tensor:
        """Energy [N, C] of one image's proposals, 1 for the best of each class."""
        boxes = evidence.proposals.bboxes / self.attention.stride
        energy = contrast_energy(attention, boxes, threshold)
        return energy / energy.amax(0).clamp(min=1e-6)

    def image_scores(self, feats: Sequence[Tensor], img_shapes: Sequence[tuple]) -> Tensor:
        """Probability [B, C] that a class is in the image."""
        return self.attention.image_logits(feats, img_shapes).float().sigmoid()

    @torch.no_grad()
    def propagate(self, feats: Sequence[Tensor], evidence: list[Evidence]) -> list[Evidence]:
        """Add image scores, proposal scores and attention maps, to views attention alone."""
        image_scores = self.image_scores(feats, [e.img_shape for e in evidence])
        maps = self.attention(feats, evidence)
        if self.energy_threshold is not None:
            energies = [self._energy(e, m, self.energy_threshold) for e, m in zip(evidence, maps)]
            scores = [score * energy for score, energy in zip(image_scores, energies)]
        elif self.score_proposals:
            scores = self.proposal_scores(feats, [e.proposals.bboxes for e in evidence])
        else:
            scores = [s.expand(len(e.proposals), -1) for s, e in zip(image_scores, evidence)]
        finer = []
        for one, image_score, score, attention in zip(evidence, image_scores, scores, maps):
            one = one.clone()
            one.image_scores = image_score
            one.attention = attention
            one.set_metainfo(dict(attention_stride=self.attention.stride))
            one.proposals = InstanceData(bboxes=one.proposals.bboxes, scores=score.clamp(min=0))
            if 'views' in one:
                one.views = [self._view_attention(view) for view in one.views]
            finer.append(one)
        return finer

    def _view_attention(self, view: Evidence) -> Evidence:
        view = view.clone()
        [view.attention] = self.attention(view.feats, [view])
        view.set_metainfo(dict(attention_stride=self.attention.stride))
        return view

    def score_regions(
        self, feats: Sequence[Tensor], evidence: list[Evidence]
    ) -> list[tuple[Tensor, Tensor]]:
        """The scored proposals of ``evidence``."""
        return [(e.proposals.scores, e.proposals.bboxes) for e in evidence]

    @torch.no_grad()
    def predict(self, feats: Sequence[Tensor], evidence: list[Evidence]) -> list[InstanceData]:
        """The scored proposals of ``evidence`` after NMS."""
        return [
            select_detections(bboxes, scores, **self.test_cfg)
            for scores, bboxes in self.score_regions(feats, evidence)
        ]
