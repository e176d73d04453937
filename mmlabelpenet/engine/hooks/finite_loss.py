"""Stopping a training whose losses are no numbers any more."""

from typing import NamedTuple

import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import Tensor

from mmlabelpenet.registry import HOOKS
from mmlabelpenet.utils import UserError, latest_checkpoint


class _Step(NamedTuple):
    iteration: int
    images: list[str]
    names: list[str]
    losses: Tensor


@HOOKS.register_module()
class FiniteLossHook(Hook):
    """Stops the training at a loss that is not finite, and before a checkpoint of it is saved.

    The losses stay on their device between two checks, so that a step does not wait for them.

    Args:
        interval: Iterations between checks; None checks each of them on a CPU, where it costs
            nothing, and every 50th elsewhere.
    """

    # Before the hooks that log and save.
    priority = 'HIGH'

    def __init__(self, interval: int | None = None) -> None:
        self.interval = interval
        self.steps: list[_Step] = []

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: dict | None = None,
        outputs: dict | None = None,
    ) -> None:
        """Note the losses of a step and look at those of the last steps when it is time."""
        losses = {
            name: value.detach()
            for name, value in (outputs or {}).items()
            if 'loss' in name and isinstance(value, Tensor)
        }
        if not losses:
            return
        stacked = torch.stack([value.float() for value in losses.values()])
        samples = [one.metainfo for one in (data_batch or {}).get('data_samples', [])]
        images = [
            str(one.get('img_path', one.get('img_id', 'an unnamed photo'))) for one in samples
        ]
        self.steps.append(_Step(runner.iter + 1, images, list(losses), stacked))
        interval = self.interval or (1 if stacked.device.type == 'cpu' else 50)
        if len(self.steps) >= interval:
            self.check(runner)

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Look at what has not been looked at yet: a spoilt checkpoint is never written."""
        self.check(runner)

    def check(self, runner: Runner) -> None:
        """Look at the steps since the last check.

        Raises:
            UserError: If one of their losses is not finite.
        """
        steps, self.steps = self.steps, []
        if not steps or bool(torch.stack([s.losses.isfinite().all() for s in steps]).all()):
            return
        first = next(step for step in steps if not step.losses.isfinite().all())
        # Parts first: the total, which is one of them, tells least.
        bad = [
            (name, float(value))
            for name, value in zip(first.names, first.losses)
            if not value.isfinite()
        ]
        name, value = next(((n, v) for n, v in bad if n != 'loss'), bad[0])
        last = latest_checkpoint(runner.work_dir)
        remedy = f'the last good checkpoint is {last}' if last else 'no checkpoint was saved yet'
        raise UserError(
            f'{name} is {value} at iteration {first.iteration}, on {", ".join(first.images)}; '
            f'{remedy}: look at that photo and its proposals, or lower the learning rate.'
        )
