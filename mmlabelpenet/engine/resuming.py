"""Resuming a training at the same place in other settings."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import accumulate

from mmlabelpenet.utils import UserError


@dataclass(frozen=True)
class Schedule:
    """What an iteration of a training means; checkpoints hold it as a dict of plain values.

    Attributes:
        images: Number of training images.
        batch_size: Images in a batch of one process.
        processes: Number of processes.
        accumulation: Iterations of an update of the weights.
        epoch_length: Iterations of a pass over the images.
        phases: For each phase by name, in their order, its length in iterations, at least one, and
            what is configured: ``epochs`` and ``iterations``.
    """

    images: int
    batch_size: int
    processes: int
    accumulation: int
    epoch_length: int
    phases: Mapping[str, tuple[int, float, int | None]]

    def phase_at(self, iteration: int) -> tuple[str, int]:
        """Name and first iteration of the phase of an iteration; past the end, of the last one."""
        begins = accumulate((length for length, *_ in self.phases.values()), initial=0)
        return [pair for pair in zip(self.phases, begins) if pair[1] <= iteration][-1]

    def passes(self, iterations: int) -> float:
        """Passes over the images in some iterations."""
        return iterations * self.batch_size * self.processes / self.images

    def differences(self, other: 'Schedule') -> str:
        """What is different in another schedule, in words."""
        return ', '.join(
            name.replace('_', ' ') + ('' if name == 'phases' else f' {mine} -> {theirs}')
            for (name, mine), theirs in zip(vars(self).items(), vars(other).values())
            if mine != theirs
        )


def same_place(iteration: int, old: Schedule, new: Schedule) -> int:
    """Find the same place in the same phase of another schedule.

    The share of a phase that is done stays the same. Where the phase is configured to be of
    another length, the passes over the images that are done stay the same.

    Args:
        iteration: Number of completed iterations of the old schedule.
        old: The schedule of the checkpoint.
        new: The schedule to go on with.

    Returns:
        Number of completed iterations of the new schedule, whole updates of the weights.

    Raises:
        UserError: If phases would be skipped or trained again.
    """
    iteration -= iteration % old.accumulation  # a cut update is lost
    if iteration == 0:
        return 0
    name, begin = old.phase_at(iteration - 1)
    names, new_names = list(old.phases), list(new.phases)
    trained = names[: names.index(name)]
    place = new_names.index(name) if name in new_names else -1
    if [one in trained for one in new_names] != [i < place for i in range(len(new_names))]:
        raise UserError(
            f'was saved in phase {name!r} of {names}, and the phases of this config, {new_names}, '
            'would skip or repeat some of them: resume with the phases that it was trained with'
        )
    (length, *configured), (new_length, *new_configured) = old.phases[name], new.phases[name]
    share = (iteration - begin) / length
    if configured != new_configured:
        share *= old.passes(length) / new.passes(new_length)
    updates = new_length // new.accumulation
    # At least one: the beginning of a phase copies parts, which have learned since.
    done = min(max(round(share * updates), 1), updates)
    return sum(new.phases[one][0] for one in new_names[:place]) + done * new.accumulation
