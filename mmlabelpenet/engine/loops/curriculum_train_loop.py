"""The training loop: phases that follow from the epoch alone."""

import math
from dataclasses import dataclass, field
from itertools import accumulate

from mmengine.logging import print_log
from mmengine.model import is_model_wrapper
from mmengine.runner import EpochBasedTrainLoop, Runner, set_random_seed
from torch.utils.data import DataLoader

from mmlabelpenet.models import FeatureCache, require_known_transforms
from mmlabelpenet.registry import LOOPS


@dataclass(frozen=True)
class Phase:
    """A piece of training.

    Attributes:
        epochs: Its length.
        stages: Names of the stages that learn.
        backbone: Whether the backbone learns.
        lr_factor: Factor of the base learning rates.
        warmup: Iterations over which the rate rises from nearly zero; at most a quarter of the
            phase.
        final_factor: Factor of the rate at the end of its cosine.
        start_from: Parts of the cascade that begin as a copy of another part, by name, e.g.
            ``{'segmentation.box_head': 'detection.box_head'}``.
    """

    epochs: int
    stages: tuple[str, ...]
    backbone: bool = False
    lr_factor: float = 1.0
    warmup: int = 50
    final_factor: float = 0.05
    start_from: dict[str, str] = field(default_factory=dict)

    def rate(self, iteration: int, total: int) -> float:
        """Factor of the learning rate at an iteration of ``total`` in this phase."""
        cosine = (1 + math.cos(math.pi * iteration / max(total, 1))) / 2
        decay = self.final_factor + (1 - self.final_factor) * cosine
        warmup = max(min(self.warmup, total // 4), 1)
        return self.lr_factor * decay * min(1.0, (iteration + 1) / warmup)


def build_phases(phases: dict) -> dict[str, Phase]:
    """Phases by name, in order, those that a config set to None or to no epoch left out.

    Args:
        phases: For each name the arguments of :class:`Phase`.

    Raises:
        ValueError: If no phase is left.
    """
    built = {
        name: Phase(**{**phase, 'stages': tuple(phase['stages'])})
        for name, phase in phases.items()
        if phase is not None
    }
    built = {name: phase for name, phase in built.items() if phase.epochs > 0}
    if not built:
        raise ValueError('train_cfg.phases holds no phase with at least one epoch')
    for name, phase in built.items():
        if not phase.stages:
            raise ValueError(f'phase {name!r} has no stages: None leaves a phase out')
    return built


@LOOPS.register_module()
class CurriculumTrainLoop(EpochBasedTrainLoop):
    """Trains the cascade phase by phase (METHOD 6).

    Which stages learn, at what rate and with what random numbers follows from the iteration
    alone, so resuming needs no state of its own. Freezing happens after the model was wrapped
    for distributed training: a parameter frozen at wrapping time would never be synchronised
    later.

    Args:
        runner: The runner.
        dataloader: Data loader of the training photos, or its config.
        phases: For each phase by name the arguments of :class:`Phase`. A dict, so that an
            inheriting config overrides one phase, or drops it by None.
        feature_cache: Arguments of :class:`FeatureCache`, which keeps the maps of a frozen
            backbone on disk; None computes them anew in every epoch.
        val_begin: First epoch after which validation may run.
        val_interval: Epochs between validations.
    """

    def __init__(
        self,
        runner: Runner,
        dataloader: DataLoader | dict,
        phases: dict,
        feature_cache: dict | None = None,
        val_begin: int = 1,
        val_interval: int = 1,
    ) -> None:
        self.feature_cache = None if feature_cache is None else FeatureCache(**feature_cache)
        self.phases = build_phases(phases)
        epochs = sum(phase.epochs for phase in self.phases.values())
        super().__init__(runner, dataloader, epochs, val_begin, val_interval)
        if self.feature_cache is not None:
            require_known_transforms(self.dataloader.dataset)

    def phase_at(self, epoch: int) -> tuple[str, Phase, int]:
        """Name and phase of an epoch, and the first epoch of that phase."""
        ends = accumulate(phase.epochs for phase in self.phases.values())
        for (name, phase), end in zip(self.phases.items(), ends):
            if epoch < end:
                return name, phase, end - phase.epochs
        raise IndexError(f'epoch {epoch} lies beyond the last of {self.max_epochs}')

    def run_epoch(self) -> None:
        """Let the phase's stages learn for an epoch."""
        name, phase, begin = self.phase_at(self._epoch)
        model = self.runner.model
        model = model.module if is_model_wrapper(model) else model
        model.set_active(phase.stages, phase.backbone)
        if self._epoch == begin:
            if phase.start_from:
                model.copy_parts(phase.start_from)
            self._forget_losses()
        if self.feature_cache is not None and not phase.backbone:
            self.feature_cache.open(model.backbone)
            model.feature_cache = self.feature_cache
        self.runner.message_hub.update_info('phase', name)
        # A resumed run draws what the uninterrupted one draws in this epoch.
        set_random_seed(self.runner.seed + self._epoch)
        learns = ', '.join((*phase.stages, *(['backbone'] if phase.backbone else [])))
        print_log(
            f'Phase {name}, epoch {self._epoch - begin + 1} of {phase.epochs}: {learns} learn',
            logger='current',
        )
        super().run_epoch()

    def _forget_losses(self) -> None:
        """Take the losses of the phase before out of the log's running means."""
        scalars = self.runner.message_hub.log_scalars
        for name in [name for name in scalars if name.startswith('train/') and 'loss' in name]:
            del scalars[name]

    def run_iter(self, idx: int, data_batch: dict) -> None:
        """Set the phase's learning rate, then train on one batch."""
        _, phase, begin = self.phase_at(self._epoch)
        length = len(self.dataloader)
        factor = phase.rate(self._iter - begin * length, phase.epochs * length)
        for group in self.runner.optim_wrapper.param_groups:
            # Saved with the optimiser's state, so a resumed run scales the same base rate.
            group.setdefault('initial_lr', group['lr'])
            group['lr'] = group['initial_lr'] * factor
        super().run_iter(idx, data_batch)
