"""The training loop: phases that follow from the iteration alone."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import accumulate, compress

from mmengine.dist import get_rank, get_world_size
from mmengine.optim import OptimWrapper
from mmengine.runner import EpochBasedTrainLoop, Runner, set_random_seed
from torch.utils.data import DataLoader

from mmlabelpenet.datasets import (
    SeededBatchSampler,
    derived_seed,
    reproducible,
    require_cacheable_transforms,
    require_label_keeping_transforms,
)
from mmlabelpenet.models import LabelPEnet, SegmentationStage
from mmlabelpenet.registry import LOOPS
from mmlabelpenet.utils import UserError, advise_name, latest_checkpoint, say, unwrap_model

from ..cache import FeatureCache, LabelCache, remove_caches
from ..freezing import copy_parts, freeze
from ..hooks.resume import ResumeHook
from ..resuming import Schedule
from ..stored_labels import StoredLabels, StoredLabelsHook
from .phases import Phase, build_phases

# Parts of the names of scalars that a phase logs and the next one may not have.
PHASE_SCALARS = ('loss', 'lambda', 'pseudo', 'threshold')


@LOOPS.register_module()
class CurriculumTrainLoop(EpochBasedTrainLoop):
    """Trains the cascade phase by phase (docs/paper/method.md, schedule).

    The learning stages, rates, images and random numbers depend on the iteration alone, so a run
    that is resumed at any iteration gives the same weights as one that was not cut. A run that is
    cut between two updates of the weights goes back to the first iteration of the next update.
    Freezing happens after the model is wrapped for distributed training: a parameter that is
    frozen then would never be synchronised later.

    Args:
        runner: The runner.
        dataloader: Config of the data loader of the training images. A built loader is accepted
            too, but then random transforms are not repeated on resuming.
        phases: For each phase by name the arguments of :class:`Phase`. A dict, so that an
            inheriting config overrides one phase, or drops it by None.
        order: Names of phases in the order in which they run, see :func:`build_phases`.
        feature_cache: Arguments of :class:`FeatureCache` and :class:`LabelCache`, which keep on
            disk the maps of a frozen backbone and, while stage 1 is frozen too, the pseudo labels;
            None computes them in every epoch.
        label_size: Short side in pixels of images that are labelled anew (``relabel`` of a phase);
            None takes the size that the training pipeline gives, which may be a random one.
        val_begin: First epoch after which validation may run.
        val_interval: Epochs between validations.

    Raises:
        UserError: If a phase is shorter than half an iteration, or names a part that
            the model does not have.
    """

    def __init__(
        self,
        runner: Runner,
        dataloader: DataLoader | dict,
        phases: dict,
        order: Sequence[str] | None = None,
        feature_cache: dict | None = None,
        label_size: int | None = None,
        val_begin: int = 1,
        val_interval: int = 1,
    ) -> None:
        kinds = () if feature_cache is None else (FeatureCache, LabelCache)
        self.caches = [kind(**feature_cache or {}) for kind in kinds]
        self.phases = build_phases(phases, order)
        is_config = isinstance(dataloader, dict)
        loader = reproducible(dataloader, runner.seed) if is_config else dataloader
        super().__init__(runner, loader, 1, val_begin, val_interval)
        self.accumulation = _accumulative_counts(runner.optim_wrapper)
        lengths = [p.length(len(self.dataloader), self.accumulation) for p in self.phases.values()]
        self.ends = dict(zip(self.phases, accumulate(lengths)))
        self._max_iters = sum(lengths)
        short = [name for name, length in zip(self.phases, lengths) if length == 0]
        if short:
            raise UserError(
                f'train_cfg.phases {short} are shorter than half an iteration of '
                f'{len(self.dataloader)} a pass: raise their epochs, give iterations, or set them '
                'to None.'
            )
        self._max_epochs = -(-self._max_iters // len(self.dataloader))
        self._phase: str | None = None
        self.stored_labels = StoredLabels(label_size)
        require_parts(self.model, self.phases)
        runner.register_hook(ResumeHook(self._schedule(lengths)))
        runner.register_hook(StoredLabelsHook(self.stored_labels))
        if self.caches:
            require_cacheable_transforms(self.dataloader.dataset)
        if any(phase.relabel for phase in self.phases.values()):
            require_label_keeping_transforms(self.dataloader.dataset)

    def _schedule(self, lengths: Sequence[int]) -> Schedule:
        """What an iteration means, for checkpoints."""
        loader = self.dataloader
        return Schedule(
            images=len(loader.dataset),
            batch_size=loader.batch_size or getattr(loader.batch_sampler, 'batch_size', None) or 1,
            processes=get_world_size(),
            accumulation=self.accumulation,
            epoch_length=len(loader),
            phases={
                name: (length, phase.epochs, phase.iterations)
                for (name, phase), length in zip(self.phases.items(), lengths)
            },
        )

    @property
    def model(self) -> LabelPEnet:
        """The model without its wrapper."""
        return unwrap_model(self.runner.model)

    def phase_at(self, iteration: int) -> tuple[str, Phase, int, int]:
        """Name and phase of an iteration, its first iteration and its length."""
        begin = 0
        for name, end in self.ends.items():
            if iteration < end:
                return name, self.phases[name], begin, end - begin
            begin = end
        raise IndexError(f'iteration {iteration} lies beyond the last of {self.max_iters}')

    def run(self) -> LabelPEnet:
        """Train, from the iteration of the runner's checkpoint on.

        Raises:
            UserError: If a file cannot be read or written, as on a full disk.
        """
        self._iter -= self._iter % self.accumulation
        self._epoch = (
            self._iter // len(self.dataloader) if self._iter < self.max_iters else self.max_epochs
        )
        self.runner.optim_wrapper.initialize_count_status(
            self.runner.model, self._iter, self.max_iters
        )
        try:
            return super().run()
        except OSError as error:
            last = latest_checkpoint(self.runner.work_dir)
            raise UserError(
                f'The training stopped at iteration {self._iter} of {self.max_iters} ({error}), '
                'and what was saved before is whole: free space or repair that, then '
                + (f'go on from {last} with --resume.' if last else 'start again.')
            ) from error

    def run_epoch(self) -> None:
        """Pass over the images, or over the rest of the pass."""
        length = len(self.dataloader)
        start = self._iter - self._epoch * length
        sampler = self.dataloader.batch_sampler
        if isinstance(sampler, SeededBatchSampler):
            sampler.seek(self._epoch, start)
        self.runner.call_hook('before_train_epoch')
        self.runner.model.train()
        # The range comes first: it ends without asking for another batch.
        stop = min(length, self.max_iters - self._epoch * length)
        batches = self.dataloader
        if not isinstance(sampler, SeededBatchSampler):
            batches = (batch for number, batch in enumerate(batches) if number >= start)
        for idx, data_batch in zip(range(start, stop), batches):
            self.run_iter(idx, data_batch)
        self.runner.call_hook('after_train_epoch')
        self._epoch += 1

    def run_iter(self, idx: int, data_batch: dict) -> None:
        """Train on one batch as its phase asks for."""
        name, phase, begin, length = self.phase_at(self._iter)
        if name != self._phase:
            self._enter(name, phase, begin, length)
        update = (self._iter - begin) // self.accumulation
        total = length // self.accumulation
        self._set_rate(phase.rate(update, total))
        step = self.model.step = phase.step(update, total)
        logged = {f'train/{stage}.lambda': weight for stage, weight in step.weights.items()}
        logged |= {'train/threshold': step.threshold, 'train/phase': [*self.phases].index(name)}
        self.runner.message_hub.update_scalars(logged)
        # The model's random draws depend on the image's place in the pass, not on the process.
        place = idx * get_world_size() + get_rank()
        set_random_seed(derived_seed(self.runner.seed, self._epoch, place))
        super().run_iter(idx, data_batch)

    def _enter(self, name: str, phase: Phase, begin: int, length: int) -> None:
        self._phase = name
        freeze(self.model, phase.step(0, 1))
        if self._iter == begin:
            copy_parts(self.model, phase.start_from)
            self._forget_scalars()
        self.open_caches()
        if phase.relabel and self._iter == begin:
            self._relabel(by_all=phase.relabel is True)
        self.stored_labels.around(self.model, phase.stored_labels)
        self.runner.message_hub.update_info('phase', name)
        learns = ', '.join((*phase.stages, *(['backbone'] if phase.backbone else [])))
        resumed = f', from {self._iter + 1}' if self._iter > begin else ''
        epochs = length / len(self.dataloader)
        say(
            f'Phase {name} ({list(self.phases).index(name) + 1} of {len(self.phases)}) trains '
            f'{learns} for {epochs:.3g} epoch{"s" * (epochs != 1)}: iterations {begin + 1} to '
            f'{begin + length} of {self.max_iters}{resumed}'
        )

    def _relabel(self, by_all: bool) -> None:
        """Label all training images anew, at all scales of attention whatever the phase reads."""
        runner, count = self.runner, len(self.dataloader.dataset)
        self.model.step = replace(self.model.step, scales=True)
        say(f'{count} training photos are labelled anew.')
        for done in self.stored_labels.fill(self.model, self.dataloader, runner.seed, by_all):
            runner.call_hook('report_progress', text=f'labelled anew {done}/{count}')

    def open_caches(self) -> None:
        """Put caches around the parts of the model that are frozen now."""
        remove_caches(self.model)
        step = self.model.step
        # Batches that the preprocessor changes at random are other ones in every epoch.
        frozen = not (
            step.backbone or getattr(self.model.data_preprocessor, 'batch_augments', False)
        )
        fixed = frozen, frozen and self.model.cascade.labels_cacheable(step)
        for cache in compress(self.caches, fixed):
            cache.around(self.model)

    def _set_rate(self, factor: float) -> None:
        for group in self.runner.optim_wrapper.param_groups:
            # Saved with the optimiser's state, so a resumed run scales the same base rate.
            group.setdefault('initial_lr', group['lr'])
            group['lr'] = group['initial_lr'] * factor

    def _forget_scalars(self) -> None:
        """Remove the previous phase's scalars from the log's running means."""
        scalars = self.runner.message_hub.log_scalars
        for name in list(scalars):
            if any(part in name for part in PHASE_SCALARS):
                del scalars[name]


def _accumulative_counts(optim_wrapper: OptimWrapper | dict) -> int:
    """Iterations of an update of the weights."""
    if isinstance(optim_wrapper, dict):
        return optim_wrapper.get('accumulative_counts', 1)
    return getattr(optim_wrapper, '_accumulative_counts', 1)


def require_parts(model: LabelPEnet, phases: Mapping[str, Phase]) -> None:
    """Make sure that a model has the stages and parts that phases name.

    Args:
        model: Not wrapped.
        phases: By name.

    Raises:
        UserError: If it lacks one.
    """
    parts = {name for name, _ in model.cascade.named_modules()}
    for name, phase in phases.items():
        for stage in phase.stages:
            if stage not in model.cascade.learnable:
                advice = advise_name(stage, model.cascade.learnable)
                raise UserError(f"Phase {name} trains '{stage}', no stage of the model: {advice}")
        for part in (*phase.start_from, *phase.start_from.values()):
            if part not in parts:
                advice = advise_name(part, [one for one in parts if one.count('.') == 1])
                raise UserError(f"Phase {name} copies '{part}', no part of the model: {advice}")
        steps = model.cascade.steps
        if phase.relabel is True and not any(
            isinstance(s, SegmentationStage) for s in steps.values()
        ):
            raise UserError(
                f'Phase {name} labels the photos anew, by the masks of module 4, but the cascade '
                f'has only {", ".join(steps)}: add the other stages, or set its relabel to False.'
            )
