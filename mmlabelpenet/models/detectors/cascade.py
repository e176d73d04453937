"""The cascade: an ordered list of steps that evidence passes downwards and upwards."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch
from mmengine.model import ModuleDict
from mmengine.structures import InstanceData
from torch import Tensor

from mmlabelpenet.registry import MODELS
from mmlabelpenet.structures import Evidence, Step
from mmlabelpenet.utils import in_evaluation

from ..stages import LabelSource, LearnedProposals, RegionStage, ResultStage, Stage
from ..stages.base import label_result
from ..stages.true_instances import corrected

INFERENCE = Step()
# Readouts of the labels, for images whose tags are known: the pseudo instances with the attention
# that supervises stage 3 as masks, or with stage 3's masks, validated where that is configured.
LABELS = ('attention', 'calibration')


class Cascade(ModuleDict):
    """The stages of the model by name, and the order in which evidence passes them.

    The steps are stage 1, the label source (calibration) with the steps that follow from it, and
    the other stages. The way down is one loop over them, the way up the same list reversed.

    Args:
        configs: Config of each stage by its name, that of the state dict; None leaves a stage and
            all after it out.
        order: Names of the stages, stage 1 first.
        source: The label source. The detector holds its parameters.
        num_classes: C, passed on to every stage.

    Raises:
        ValueError: For an unknown stage, or one whose predecessor is missing.
    """

    def __init__(
        self,
        configs: Mapping[str, dict],
        order: Sequence[str],
        source: LabelSource,
        num_classes: int,
    ) -> None:
        given = {name: configs[name] for name in order if configs.get(name) is not None}
        if set(configs) - set(order) or [*given] != [*order[: len(given)]] or not given:
            raise ValueError(
                f'cascade holds {sorted(configs)}, but its stages are {tuple(order)}, in order'
            )
        stages = {n: MODELS.build(dict(num_classes=num_classes, **c)) for n, c in given.items()}
        super().__init__(stages)
        first, *others = stages.items()
        # A plain dict, which does not register the source's parameters a second time.
        self.steps: dict[str, Stage] = dict([first, *source.steps().items(), *others])
        self.seeding, self.before_last = tuple(self.steps)[:2], tuple(self.steps)[:-1]
        self.learnable = tuple(name for name, stage in self.steps.items() if stage.learns)
        self.readouts = (*(n for n, s in stages.items() if isinstance(s, ResultStage)), *LABELS)
        self.can_validate = source.validates and list(stages.values())[-1].starts_validation
        self.reads_ground_truth = source.reads_ground_truth
        self._source = (source,)  # in a tuple, for the same reason

    def learn_proposals(self, config: dict | None) -> LearnedProposals | None:
        """Add a step after the last stage that learns proposals from its instances.

        Args:
            config: Of the step; None adds none.

        Returns:
            The step, whose parameters the caller holds.

        Raises:
            ValueError: If the last stage has no such instances.
        """
        if config is None:
            return None
        learned = MODELS.build(dict(config, teacher=list(self.values())[-1]))
        self.steps['proposals'] = learned
        self.learnable += ('proposals',)
        return learned

    def labels_cacheable(self, step: Step) -> bool:
        """Whether :meth:`seed` gives an image the same labels in all steps of this kind."""
        learns = step.backbone or self.seeding[0] in step.learning
        return not learns and self._source[0].labels_cacheable(step)

    def down(
        self, evidence: list[Evidence], step: Step = INFERENCE
    ) -> tuple[list[Evidence], dict[str, Tensor]]:
        """Pass the steps downwards, to the last one that learns, or all of them if none does.

        Args:
            evidence: Of a batch of images, before stage 1.
            step: The training step.

        Returns:
            The evidence that reaches the last step, and the losses of the steps that learn.
        """
        losses: dict[str, Tensor] = {}
        names, feats = list(self.steps), evidence[0].batch_feats
        learning = [name for name in names if name in step.learning]
        last = learning[-1] if learning else None
        if learning and not any(self.steps[name].reads_labels for name in learning):
            names = learning
        elif not set(self.seeding) & set(learning):
            evidence = self.above(self.seed(feats, evidence), step.threshold)
            names = names[len(self.seeding) :]
        for name in names:
            if name in step.learning:
                losses |= self._losses(name, feats, evidence, step)
            if name == last:
                break
            evidence = self.above(self.steps[name].propagate(feats, evidence), step.threshold)
        return evidence, losses

    def above(self, evidence: list[Evidence], threshold: float) -> list[Evidence]:
        """The labels that supervise: corrected ones where there are any, see :func:`above`."""
        if not self.reads_ground_truth:
            evidence = [corrected(one, self._source[0]) for one in evidence]
        return above(evidence, threshold)

    def seed(self, feats: Sequence[Tensor], evidence: list[Evidence]) -> list[Evidence]:
        """Add pseudo instances: the way down through stage 1 and the label source."""
        for name in self.seeding:
            evidence = self.steps[name].propagate(feats, evidence)
        return evidence

    @torch.no_grad()
    def up(self, evidence: list[Evidence]) -> list[Evidence]:
        """Pass the steps upwards: each one revises the labels that it gets from the next."""
        feats = evidence[0].batch_feats
        for stage in reversed(self.steps.values()):
            evidence = stage.validate(feats, evidence)
        return evidence

    def _losses(
        self, name: str, feats: Sequence[Tensor], evidence: list[Evidence], step: Step
    ) -> dict[str, Tensor]:
        """Weighted losses of one step, and for the log the number and weight of its labels."""
        weight, losses = step.weights.get(name, 1.0), self.steps[name].loss(feats, evidence)
        counts = {} if name in self.seeding else label_counts(evidence)
        weighted = ((key, value * weight) for key, value in losses.items())
        return {f'{name}.{key}': value for key, value in (*weighted, *counts.items())}

    def backward_losses(self, evidence: list[Evidence], step: Step) -> dict[str, Tensor]:
        """Losses of the steps before the last one, on validated labels."""
        with torch.no_grad(), in_evaluation(self):
            evidence, _ = self.down(evidence, replace(step, learning=()))
            evidence = self.above(self.up(evidence), step.threshold)
        names = [name for name in self.before_last[::-1] if name in step.learning]
        losses = [self._losses(name, evidence[0].batch_feats, evidence, step) for name in names]
        return {key: value for part in losses for key, value in part.items()}

    def image_scores(self, evidence: Sequence[Evidence]) -> Tensor:
        """Probability [B, C] that a class is present, by stage 1."""
        return next(iter(self.values())).image_scores(evidence)

    @torch.no_grad()
    def read(self, name: str, evidence: list[Evidence]) -> list[InstanceData]:
        """Results of a stage, or the labels.

        Args:
            name: One of ``readouts``: a stage with results; ``'attention'`` and
                ``'calibration'`` read the pseudo instances, see ``LABELS``.
            evidence: Of a batch of images, before stage 1; with ``tags`` where labels are read,
                else without.

        Returns:
            ``bboxes``, ``scores``, ``labels`` and perhaps ``masks`` of each image, in pixels of
            the original image.
        """
        feats = evidence[0].batch_feats
        if name == 'attention':
            return [label_result(one, 'attention') for one in self.seed(feats, evidence)]
        if name == 'calibration':
            evidence = self.down(evidence)[0]
            evidence = self.up(evidence) if self.can_validate else evidence
            return [label_result(one, 'masks') for one in evidence]
        return self[name].predict(feats, self.infer(name, evidence))

    @torch.no_grad()
    def infer(self, name: str, evidence: list[Evidence]) -> list[Evidence]:
        """The evidence that a stage's results start from; arguments as of :meth:`read`."""
        for need in self[name].needs:
            evidence = self.steps[need].infer(evidence[0].batch_feats, evidence)
        return evidence

    @torch.no_grad()
    def explain(self, evidence: list[Evidence]) -> list[Evidence]:
        """The evidence that shows how results come about, for pictures and analyses.

        Args:
            evidence: Of a batch of images, before stage 1, all with tags or none.

        Returns:
            Of tagged images the evidence after all stages, with ``validated`` if there is a way
            back; of others that after calibration, without labels.
        """
        if 'tags' not in evidence[0]:
            for name in self.seeding:
                evidence = self.steps[name].infer(evidence[0].batch_feats, evidence)
            return evidence
        evidence = self.down(evidence)[0]
        if not self.can_validate:
            return evidence
        pairs = zip(evidence, self.up(evidence))
        return [one.replace(validated=revised.pseudo_instances) for one, revised in pairs]

    def region_stage(self, name: str) -> str:
        """Name of the stage that finds the boxes of a stage's results."""
        return (
            name
            if isinstance(self[name], RegionStage)
            else self.region_stage(self[name].needs[-1])
        )


def above(evidence: list[Evidence], threshold: float) -> list[Evidence]:
    """Zero the weight of pseudo instances below the threshold."""
    if threshold <= 0 or 'pseudo_instances' not in evidence[0]:
        return evidence
    weights = [one.pseudo_instances.weights for one in evidence]
    return [one.with_pseudo(weights=w * (w >= threshold)) for one, w in zip(evidence, weights)]


def label_counts(evidence: Sequence[Evidence]) -> dict[str, Tensor]:
    """Number of pseudo instances of an image with a weight, and their mean weight."""
    if 'pseudo_instances' not in evidence[0]:
        return {}
    weights = torch.cat([one.pseudo_instances.weights for one in evidence]).float()
    count = (weights > 0).sum()
    return dict(pseudo=count / len(evidence), pseudo_v=weights.sum() / count.clamp(min=1))
