"""Phases of a training."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import Literal

import numpy as np

from mmlabelpenet.structures import Step


@dataclass(frozen=True)
class Phase:
    """A part of the training, in which some stages learn.

    Values that change within a phase depend on the completed share of it, counted in updates of
    the weights.

    Attributes:
        epochs: Its length in passes over the images; it may be a fraction.
        stages: Names of the stages that learn, in the order of the cascade; among them
            ``'semantic'`` where the calibration has semantic attention.
        iterations: Its length in iterations, in place of ``epochs``.
        min_updates: Least length in updates of the weights, where it is given in epochs: a pass
            over few images teaches little.
        backbone: Whether the backbone learns.
        scales: Whether images are read at the model's ``attention_scales`` too; where the
            backbone learns that adds more than half a step's time.
        lr_factor: Factor of the base learning rates.
        warmup: Updates over which the rate rises from nearly zero; at most a quarter of the
            phase.
        final_factor: Factor of the rate at the end of its cosine.
        steps: In place of the cosine, shares of the phase after each of which the rate is a tenth;
            an empty tuple keeps it constant.
        relabel: Whether the training images are labelled anew by the whole cascade before this
            phase (:func:`mmlabelpenet.models.relabelled`), or with ``'calibration'`` by stage 1
            and the label source alone; these labels stay, also in the phases after it, until the
            next ones.
        stored_labels: Whether the phase learns from labels made anew, where there are any, or
            from those of the label source.
        start_from: Parts of the cascade that are initialised as a copy of another part, e.g.
            ``{'segmentation.box_head': 'detection.box_head'}``.
        weights: lambda_k of stages by name, 1 where it is absent.
        ramp: Share of the phase over which the stages fade in, one after the other: the first
            one has its full weight from the start, the weight of each further one rises from 0
            to its lambda after the one before has reached its own. 0 starts with full weights.
        threshold: Least weight of a pseudo instance that supervises; of two values it changes
            linearly from the first to the second over the phase.
        alternate: Updates after which the direction changes between forward and backward; 0 is
            forward only.
    """

    epochs: float = 0
    stages: tuple[str, ...] = ()
    iterations: int | None = None
    min_updates: int = 0
    backbone: bool = False
    scales: bool = True
    lr_factor: float = 1.0
    warmup: int = 50
    final_factor: float = 0.05
    steps: tuple[float, ...] | None = None
    relabel: bool | Literal['calibration'] = False
    stored_labels: bool = True
    start_from: dict[str, str] = field(default_factory=dict)
    weights: dict[str, float] = field(default_factory=dict)
    ramp: float = 0.0
    threshold: float | tuple[float, float] = 0.0
    alternate: int = 0

    def length(self, epoch_length: int, accumulation: int = 1) -> int:
        """Length in iterations: whole updates of ``accumulation`` iterations each, at least one.

        Args:
            epoch_length: Iterations of a pass.
            accumulation: Iterations of an update.
        """
        wanted = self.iterations
        if wanted is None:
            wanted = round(self.epochs * epoch_length)
            wanted = max(wanted, self.min_updates * accumulation) if self.epochs > 0 else 0
        return max(wanted // accumulation, 1) * accumulation if wanted > 0 else 0

    def rate(self, update: int, total: int) -> float:
        """Factor of the learning rate at an update of ``total`` in this phase."""
        share = update / max(total, 1)
        decay = 0.1 ** sum(share >= step for step in self.steps or ())
        if self.steps is None:
            cosine = (1 + math.cos(math.pi * share)) / 2
            decay = self.final_factor + (1 - self.final_factor) * cosine
        warmup = max(min(self.warmup, total // 4), 1)
        return self.lr_factor * decay * min(1.0, (update + 1) / warmup)

    def step(self, update: int, total: int) -> Step:
        """The training step of an update of ``total`` in this phase."""
        share = update / max(total, 1)
        first, last = np.broadcast_to(self.threshold, 2).tolist()
        rising = max(len(self.stages) - 1, 1)
        risen = [
            share * rising / self.ramp - (index - 1) if self.ramp and index else 1.0
            for index in range(len(self.stages))
        ]
        weights = {
            stage: self.weights.get(stage, 1.0) * min(max(part, 0.0), 1.0)
            for stage, part in zip(self.stages, risen)
        }
        backward = self.alternate and update // self.alternate % 2 == 1
        return Step(
            learning=self.stages,
            backbone=self.backbone,
            scales=self.scales,
            direction='backward' if backward else 'forward',
            weights=weights,
            threshold=first + (last - first) * share,
        )


def build_phases(phases: dict, order: Sequence[str] | None = None) -> dict[str, Phase]:
    """Build the phases in their order, without those that are None or have no length.

    Args:
        phases: For each name the arguments of :class:`Phase`.
        order: Names in the order in which phases run, also of those that are left out. None uses
            the order of ``phases``; but mmengine sorts them when it writes a config.

    Raises:
        ValueError: If no phase is left, one is not in ``order``, or has no stages or an argument
            that is unknown.
    """
    known = {one.name for one in fields(Phase)}
    phases = {name: phase for name, phase in phases.items() if phase is not None}
    order = list(phases if order is None else order)
    astray = sorted(set(phases) - set(order))
    if astray:
        raise ValueError(f'phases {astray} are not in train_cfg.order {order}: say when they run')
    for name, phase in phases.items():
        unknown = sorted(set(phase) - known)
        if unknown:
            raise ValueError(f'phase {name!r} has unknown settings {unknown}: {sorted(known)} are')
    built = {
        name: Phase(**{**phases[name], 'stages': tuple(phases[name].get('stages', ()))})
        for name in order
        if name in phases
    }
    built = {
        name: phase for name, phase in built.items() if (phase.iterations or phase.epochs) > 0
    }
    if not built:
        raise ValueError('train_cfg.phases holds no phase of any length')
    for name, phase in built.items():
        if not phase.stages:
            raise ValueError(f'phase {name!r} has no stages: None leaves a phase out')
        if len(set(phase.stages)) < len(phase.stages):
            raise ValueError(f'phase {name!r} names a stage twice: {", ".join(phase.stages)}')
        astray = sorted((set(phase.weights)) - set(phase.stages))
        if astray:
            raise ValueError(f'phase {name!r} weighs stages {astray} that do not learn in it')
    return built
