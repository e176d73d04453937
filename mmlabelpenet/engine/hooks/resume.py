"""Checks and conversions when a training is resumed."""

from typing import Any

from mmengine.hooks import Hook
from mmengine.logging import MessageHub
from mmengine.runner import Runner

from mmlabelpenet.utils import UserError, say

from ..resuming import Schedule, same_place

PARTS, NUMBERS = ('meta', 'optimizer', 'message_hub'), {'epoch', 'iter'}


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
            _require_state(checkpoint)
            convert_optimizer(runner, checkpoint)
            checkpoint['meta']['iter'] = self._same_place(runner, checkpoint['meta'])
            _require_schedulers(runner, checkpoint)
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
        if iteration > sum(length for length, *_ in old.phases.values()):
            raise UserError(
                f'says that iteration {iteration} was reached, which is past the end of its own '
                'training, so its state is damaged: resume from another checkpoint'
            )
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
        say(
            f'The run was cut at iteration {iteration} with other settings '
            f'({old.differences(new)}), and goes on at the same place: iteration {place}, '
            f'{place - begin} of {new.phases[name][0]} of phase {name}.',
        )
        return place


def _require_state(checkpoint: dict) -> None:
    """Make sure that a checkpoint holds all that a run goes on from, see :class:`ResumeHook`."""
    parts: list[Any] = [checkpoint.get(name) for name in PARTS]
    meta, optimizer, hub = parts
    lacking = hub is None or optimizer is None or (isinstance(optimizer, dict) and not optimizer)
    if lacking or not (isinstance(meta, dict) and meta.keys() >= NUMBERS):
        raise UserError(
            'holds weights but not the state of a training: resume from a checkpoint that a '
            'training saved'
        )
    groups = optimizer.get('param_groups') if isinstance(optimizer, dict) else None
    whole = isinstance(groups, list) and groups and all('params' in one for one in groups)
    right = {
        **{name: type(meta[name]) is int and meta[name] >= 0 for name in sorted(NUMBERS)},
        'seed': isinstance(meta.get('seed'), int | None),
        'schedule': _is_schedule(meta.get('schedule', _EXAMPLE)),
        'message_hub': isinstance(hub, dict | MessageHub),
        'optimizer': whole and isinstance(optimizer.get('state'), dict),
    }
    for name in right:
        if not right[name]:
            raise UserError(
                f'cannot be resumed, since its {name} is not what a training saves: resume from '
                'another checkpoint'
            )


def _require_schedulers(runner: Runner, checkpoint: dict) -> None:
    mine, saved = runner.param_schedulers, checkpoint.get('param_schedulers')
    if mine and (not isinstance(saved, type(mine)) or len(saved) != len(mine)):
        raise UserError(
            f'has the state of {len(saved or ())} param_scheduler, but the config has '
            f'{len(mine)}: resume with those that it was trained with'
        )


_EXAMPLE = dict(vars(Schedule(1, 1, 1, 1, 1, {'all': (1, 1.0, None)})))


def _is_schedule(record: object) -> bool:
    return (
        isinstance(record, dict)
        and record.keys() == _EXAMPLE.keys()
        and all(type(one) is int and one > 0 for name, one in record.items() if name != 'phases')
        and isinstance(record['phases'], dict)
        and len(record['phases']) > 0
        and all(
            isinstance(one, list | tuple) and len(one) == 3 for one in record['phases'].values()
        )
    )


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
    if [len(one['params']) for one in groups] != [
        len(one['params']) for one in new_groups
    ] or not (names <= new_names or new_names <= names):
        raise UserError(
            f'was trained with another optimizer ({len(groups)} and here {len(new_groups)} groups '
            f'of parameters, not in common {sorted(names ^ new_names)}): resume with the '
            'optim_wrapper that it was trained with'
        )
    if not runner.param_schedulers:
        kept = saved.keys() & fresh.keys() & {'state', 'loss_scaler'}
        checkpoint['optimizer'] = fresh | {key: saved[key] for key in kept}
