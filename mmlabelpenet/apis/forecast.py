"""What a training will do and for about how long, said at its start."""

import copy
import tempfile
import time
from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmlabelpenet.engine import CurriculumTrainLoop, Phase, freeze
from mmlabelpenet.structures import Step
from mmlabelpenet.utils import say


class ForecastHook(Hook):
    """Says which phases a training runs, and for about how many minutes.

    For the minutes it makes two steps of each phase and direction on the first images; the first
    one fills a cache, if there is one. Weights and statistics stay as they are.
    """

    priority = 'VERY_LOW'  # when weights have been initialised

    def before_train(self, runner: Runner) -> None:
        """Say it of a training by phases; others are left alone."""
        loop = runner.train_loop
        if isinstance(loop, CurriculumTrainLoop):
            length, begins = len(loop.dataloader), [0, *loop.ends.values()]
            lengths = [end - begin for begin, end in pairwise(begins)]
            parts = [
                f'{name} {steps} ({steps / length:.3g} epochs)'
                for name, steps in zip(loop.phases, lengths)
            ]
            seconds = sum(_seconds_left(runner, loop))
            say(
                f'Training on {len(loop.dataloader.dataset)} photos takes about '
                f'{_in_words(seconds)}, for {loop.max_iters} steps: {", ".join(parts)}.'
            )


def _in_words(seconds: float) -> str:
    minutes = max(round(seconds / 60), 1)
    return f'{minutes} minute{"s" * (minutes > 1)}' if minutes < 90 else f'{seconds / 3600:.1f} h'


def _seconds_left(runner: Runner, loop: CurriculumTrainLoop) -> Iterator[float]:
    """Estimate the seconds of each phase, or of what a resumed run has left of it."""
    model, caches, begin = loop.model, loop.caches, 0
    kept = [(one, one.clone()) for one in model.buffers()]  # statistics of batch norm
    batch = next(iter(loop.dataloader))
    with tempfile.TemporaryDirectory() as folder, torch.random.fork_rng(devices=[]):
        loop.caches = [type(one)(folder) for one in caches]
        model.train()
        for (name, phase), end in zip(loop.phases.items(), loop.ends.values()):
            runner.call_hook('report_progress', text=f'one step of {name}')
            left, begin = max(end - max(begin, runner.iter), 0), end
            if left:
                yield _phase_seconds(runner, phase, batch, left)
    loop.caches = caches
    for one, value in kept:
        one.copy_(value)


def _phase_seconds(runner: Runner, phase: Phase, batch: dict, steps: int) -> float:
    """Estimate the seconds of some steps of a phase, the first of which fill caches."""
    loop = runner.train_loop
    directions = [phase.step(update, 2 * update + 1) for update in {0, phase.alternate}]
    freeze(loop.model, directions[0])
    loop.open_caches()
    times = [[_step_seconds(runner, batch, step) for _ in range(2)] for step in directions]
    first, again = np.mean(times, axis=0)
    # an image and its mirror image
    length = 2 * len(loop.dataloader)
    new = length * (1 - 0.5 ** (2 * steps / length))
    return steps * again + min(new, steps) * max(first - again, 0)


def _step_seconds(runner: Runner, batch: dict, step: Step) -> float:
    model = runner.train_loop.model
    data = model.data_preprocessor(copy.deepcopy(batch), True)
    model.step = step
    start = time.perf_counter()
    with runner.optim_wrapper.optim_context(model):
        loss, _ = model.parse_losses(model(**data, mode='loss'))
    # Gradients that do not accumulate: DDP waits for those that do.
    torch.autograd.grad(
        loss, [p for p in model.parameters() if p.requires_grad], allow_unused=True
    )
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter() - start
