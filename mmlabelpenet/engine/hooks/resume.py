"""Checks and conversions when a training is resumed."""

from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.runner import Runner

from mmlabelpenet.utils import UserError

from ..resuming import Schedule, same_place

PARTS = {'meta', 'message_hub', 'optimizer'}


class ResumeHook(Hook):
    """Records the schedule in checkpoints, and resumes at the same place of another schedule.

    The training loop registers it. The rates and other settings of the optimiser are those of
    the config; its state is that of the checkpoint.

    Args:
        schedule: Of this training.
    """

    priority = 'VERY_HIGH'

    def __init__(self, schedule: Schedule) -> None:
        self.schedule = schedule

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Record what an iteration means."""
        checkpoint['meta']['schedule'] = dict(vars(self.schedule))

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Set the checkpoint's iteration to that of the same place in this training.

        Raises:
            UserError: If the run cannot go on from it.
        """
        if not runner._resume:
            return
        try:
            if not checkpoint.keys() >= PARTS or not checkpoint['meta'].keys() >= {
                'epoch',
                'iter',
            }:
                raise UserError(
                    'holds weights but not the state of a training: resume from a checkpoint that '
                    'a training saved'
                )
            convert_optimizer(runner, checkpoint)
            checkpoint['meta']['iter'] = self._same_place(runner, checkpoint['meta'])
        except UserError as error:
            path = runner._load_from or 'The latest checkpoint'
            raise UserError(
                f'{path} {error}, or begin a new run with its weights (without --resume, with '
                f'--cfg-options load_from={path}).'
            ) from None

    def _same_place(self, runner: Runner, meta: dict) -> int:
        """Number of completed iterations of this training."""
        new, iteration = self.schedule, meta['iter']
        if 'schedule' not in meta:
            if iteration not in (meta['epoch'] * new.epoch_length, runner.max_iters):
                raise UserError(
                    f'does not say what an iteration means, and {iteration} iterations in '
                    f'{meta["epoch"]} epochs do not fit this config, whose epochs have '
                    f'{new.epoch_length}: resume with the batch size, the number of processes and '
                    'the photos that it was trained with'
                )
            return iteration
        old = Schedule(**meta['schedule'])
        if old == new and list(old.phases) == list(new.phases):
            return iteration
        if runner.param_schedulers:
            raise UserError(
                f'was trained with other settings ({old.differences(new)}), and the config has a '
                'param_scheduler, whose state cannot be converted: resume with the settings that '
                'it was trained with'
            )
        place = same_place(iteration, old, new)
        name, begin = new.phase_at(max(place - 1, 0))
        print_log(
            f'The run was cut at iteration {iteration} with other settings '
            f'({old.differences(new)}), and goes on at the same place: iteration {place}, '
            f'{place - begin} of {new.phases[name][0]} of phase {name}.',
            logger='current',
        )
        return place


def convert_optimizer(runner: Runner, checkpoint: dict) -> None:
    """Take the settings of the config, such as a rate for another batch size.

    Args:
        runner: With a built optimiser.
        checkpoint: Its optimiser's settings are replaced.

    Raises:
        UserError: If the optimiser is another one.
    """
    saved, fresh = checkpoint['optimizer'], runner.optim_wrapper.state_dict()
    groups, new_groups = saved['param_groups'], fresh['param_groups']
    names, new_names = {*groups[0]} - {'initial_lr'}, {*new_groups[0]}
    sizes = [[len(group['params']) for group in part] for part in (groups, new_groups)]
    if sizes[0] != sizes[1] or not (names <= new_names or new_names <= names):
        raise UserError(
            f'was trained with another optimizer ({len(groups)} and here {len(new_groups)} groups '
            f'of parameters, not in common {sorted(names ^ new_names)}): resume with the '
            'optim_wrapper that it was trained with'
        )
    if not runner.param_schedulers:
        kept = saved.keys() & fresh.keys() & {'state', 'loss_scaler'}
        checkpoint['optimizer'] = fresh | {key: saved[key] for key in kept}
