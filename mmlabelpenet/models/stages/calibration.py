"""Proposal calibration, by which attention decides which boxes supervise the detector."""

from collections.abc import Sequence
from typing import Literal, get_args

import torch
from mmengine.structures import InstanceData
from torch import Tensor

from mmlabelpenet.registry import MODELS
from mmlabelpenet.structures import Evidence, Maps, Step
from mmlabelpenet.structures.maps import mean_maps, normalise
from mmlabelpenet.structures.selecting import kept_indices

from ..calibration import contrast_energy, energy_share, merge_validated, mined_instances
from ..refiners import build_refiners, refine
from .base import LabelSource, Stage
from .semantic import SemanticStage

Mode = Literal['forward', 'full']
ENERGIES = ('contrast', 'share')
SEMANTIC = 'semantic'


@MODELS.register_module()
class ProposalCalibration(LabelSource):
    """Rescores proposals by attention and chooses pseudo instances (docs/paper/method.md).

    On the way back it merges the instances of the last stage into the pseudo instances, once the
    stages before agree with them.

    Args:
        num_classes: C.
        mode: ``'forward'`` calibrates on the way down; ``'full'`` also validates on the way back.
        sharpen: Config of a refiner of the attention, e.g. ``RandomWalk``; None leaves the
            attention of stage 1.
        energy: ``'contrast'`` (:func:`contrast_energy`) or ``'share'`` (:func:`energy_share`): the
            share does not penalise a box for background, so it needs proposal scores that do.
        threshold: Of the contrast energy.
        score_power: Exponent of stage 1's proposal scores in the calibrated score; 0 leaves the
            energy alone.
        seeds: Config of the choice of pseudo instances: :class:`ProposalSeeds` by default, or
            :class:`AttentionSeeds`.
        refine: Config of a refiner of the instance attention, e.g. ``PixelAffinity``, or a list
            of them, one after the other, usually from coarse to fine.
        semantic: Config of :class:`SemanticAttention`, which learns from the pseudo instances in
            the phases of stage ``'semantic'`` and adds to the attention of stage 1.
        validation: Least agreement v of an instance that is merged into the pseudo instances.
        merging: Arguments of :func:`merge_validated`.

    Raises:
        ValueError: For an unknown mode or energy.
    """

    def __init__(
        self,
        num_classes: int,
        mode: Mode = 'forward',
        sharpen: dict | None = None,
        energy: str = 'contrast',
        threshold: float = 0.3,
        score_power: float = 0.0,
        seeds: dict | None = None,
        refine: dict | Sequence[dict] | None = None,
        semantic: dict | None = None,
        validation: float = 0.3,
        merging: dict | None = None,
    ) -> None:
        super().__init__()
        if mode not in get_args(Mode) or energy not in ENERGIES:
            raise ValueError(
                f'mode {mode!r} is not in {get_args(Mode)} or energy {energy!r} in {ENERGIES}'
            )
        self.validates = mode == 'full'
        self.energy = energy
        self.threshold = threshold
        self.score_power = score_power
        self.seeds = MODELS.build(dict(type='ProposalSeeds') | (seeds or {}))
        self.validation = validation
        self.merging = merging or {}
        self.sharpen = build_refiners(sharpen)
        config = dict(type='SemanticAttention', num_classes=num_classes, **(semantic or {}))
        self.semantic = None if semantic is None else MODELS.build(config)
        self.use_semantic = semantic is not None
        self.refiners = build_refiners(refine)

    def steps(self) -> dict[str, Stage]:
        """The calibration, and the stage that trains its semantic attention."""
        learns = {} if self.semantic is None else {SEMANTIC: SemanticStage(self.semantic)}
        return super().steps() | learns

    def begin(self, step: Step) -> None:
        """Ignore the semantic attention while it learns alone: its labels stay the same then."""
        self.use_semantic = self.semantic is not None and step.learning != (SEMANTIC,)

    def labels_cacheable(self, step: Step) -> bool:
        """Whether no learning stage changes the labels, see :meth:`begin`."""
        return SEMANTIC not in step.learning or step.learning == (SEMANTIC,)

    @torch.no_grad()
    def infer(self, feats: Sequence[Tensor], evidence: list[Evidence]) -> list[Evidence]:
        """Calibrate attention and proposal scores.

        Args:
            feats: Backbone maps of a batch.
            evidence: After stage 1.

        Returns:
            The evidence with new ``attention``, the mean over all scales and their semantic
            attention, and new ``proposals.scores``.
        """
        return [self._scored(one, self._attention(one)) for one in evidence]

    @torch.no_grad()
    def uncalibrated(self, evidence: list[Evidence]) -> list[Evidence]:
        """Pseudo instances of stage 1's attention at one scale, without any refiner."""
        return self.seeds([self._scored(one, one.attention) for one in evidence], ())

    @torch.no_grad()
    def attention_in(self, evidence: Evidence, instances: InstanceData) -> Maps:
        """Attention [M, h', w'] of M instances, refined as that of pseudo instances is."""
        return refine(self.refiners, evidence, super().attention_in(evidence, instances))

    def _scored(self, evidence: Evidence, attention: Maps) -> Evidence:
        """The evidence with this attention, and the scores that it gives to the proposals."""
        bboxes = evidence.proposals.bboxes
        # Attention is divided by its maximum, also that of absent classes: weight by the score.
        scores = self.box_energy(attention, bboxes) * evidence.image_scores
        if self.score_power:
            scores = scores * evidence.proposals.scores**self.score_power
        proposals = InstanceData(bboxes=bboxes, scores=scores)
        return evidence.replace(attention=attention, proposals=proposals)

    def _attention(self, evidence: Evidence) -> Maps:
        """Sharpened attention [C, h, w], the mean over scales and their semantic attention."""
        images = [evidence, *evidence.get('scales', ())]
        maps = [refine(self.sharpen, one, one.attention) for one in images]
        if self.semantic is not None and self.use_semantic:
            maps += [self.semantic(one) for one in images]
            images = images * 2
        if len(maps) == 1:
            return maps[0]
        scales = [image.img_shape[0] / evidence.img_shape[0] for image in images]
        scaled = [Maps(one.values, one.stride / scale) for one, scale in zip(maps, scales)]
        return mean_maps(scaled, evidence.img_shape)

    def box_energy(self, attention: Maps, bboxes: Tensor) -> Tensor:
        """Energy [N, C] of boxes [N, 4] in input pixels, of the chosen kind."""
        if self.energy == 'contrast':
            return contrast_energy(attention, bboxes, self.threshold)
        return energy_share(attention, bboxes)

    @torch.no_grad()
    def propagate(self, feats: Sequence[Tensor], evidence: list[Evidence]) -> list[Evidence]:
        """Calibrate, then add ``pseudo_instances`` of tagged classes, see ``seeds``."""
        return self.seeds(self.infer(feats, evidence), self.refiners)

    @torch.no_grad()
    def validate(self, feats: Sequence[Tensor], evidence: list[Evidence]) -> list[Evidence]:
        """Let validated instances of tagged classes replace or extend the pseudo instances.

        Args:
            feats: Backbone maps of a batch.
            evidence: With ``found``, and with the agreement of ``found`` and of
                ``pseudo_instances``, as :meth:`DetectionStage.validate` gives it.

        Returns:
            The evidence with new ``pseudo_instances``, weighted by their agreement; instances
            that had no weight get none.
        """
        pseudo = [self._revised(one) for one in evidence]
        agreed = kept_indices(
            [
                (one.tags[one.found.labels] > 0) & (one.found.agreement >= self.validation)
                for one in evidence
            ]
        )
        found = [self._validated(*parts) for parts in zip(evidence, pseudo, agreed)]
        merged = merge_validated(pseudo, found, **self.merging)
        return [one.replace(pseudo_instances=new) for one, new in zip(evidence, merged)]

    @staticmethod
    def _revised(evidence: Evidence) -> InstanceData:
        """The pseudo instances, weighted by their agreement where they had a weight."""
        pseudo = evidence.pseudo_instances
        weights = pseudo.agreement * (pseudo.weights > 0)
        return evidence.with_pseudo(weights=weights).pseudo_instances

    @staticmethod
    def _validated(evidence: Evidence, pseudo: InstanceData, agreed: Tensor) -> InstanceData:
        """The validated instances, with the fields of pseudo instances."""
        found = evidence.found[agreed]
        found.weights = found.agreement
        found.attention = normalise(found.masks)
        return InstanceData(**{key: found.get(key) for key, _ in pseudo.items()})


@MODELS.register_module()
class MinedProposals(LabelSource):
    """Mines the proposal scores of stage 1 as they are, as OICR and PCL do.

    It replaces :class:`ProposalCalibration` in ablations and baselines.

    Args:
        num_classes: C.
        mining: Arguments of :func:`mine`.
        dilation: Factor of the sides of a pseudo box within which its instance attention is read.
    """

    def __init__(
        self, num_classes: int, mining: dict | None = None, dilation: float = 1.3
    ) -> None:
        super().__init__()
        self.mining = mining or {}
        self.dilation = dilation

    @torch.no_grad()
    def propagate(self, feats: Sequence[Tensor], evidence: list[Evidence]) -> list[Evidence]:
        """Add ``pseudo_instances`` of tagged classes, weighted by their scores."""
        return mined_instances(evidence, self.mining, self.dilation)
