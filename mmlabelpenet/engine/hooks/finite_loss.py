"""Reading the values of a step at once, and stopping at losses that are no numbers any more."""

import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import Tensor

from mmlabelpenet.registry import HOOKS
from mmlabelpenet.utils import UserError, latest_checkpoint


@HOOKS.register_module()
class FiniteLossHook(Hook):
    """Stops the training at a loss that is not finite, before a checkpoint of it is saved.

    It brings all values of a step to the host at once, before any other hook reads them: mmengine
    reads each by itself, and would wait for the device as often as there are values.
    """

    priority = 'HIGHEST'

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: dict | None = None,
        outputs: dict | None = None,
    ) -> None:
        """Move the values of a step to the host and look at its losses.

        Args:
            runner: Of the training.
            batch_idx: Unused.
            data_batch: With ``data_samples``, whose photos are named.
            outputs: Scalars by name; changed in place.

        Raises:
            UserError: If a loss is not finite.
        """
        outputs = {} if outputs is None else outputs
        values = {name: value for name, value in outputs.items() if isinstance(value, Tensor)}
        if not values:
            return
        stacked = torch.stack([value.detach().float() for value in values.values()]).cpu()
        outputs.update(zip(values, stacked))
        bad = [
            (name, float(value))
            for name, value in zip(values, stacked)
            if 'loss' in name and not value.isfinite()
        ]
        if bad:
            _stop(runner, bad, (data_batch or {}).get('data_samples', []))


def _stop(runner: Runner, bad: list[tuple[str, float]], samples: list) -> None:
    """Name a loss, the photos of its step and the last good checkpoint."""
    metas = [one.metainfo for one in samples]
    images = [str(one.get('img_path', one.get('img_id', 'an unnamed photo'))) for one in metas]
    # Parts first: the total, which is one of them, tells least.
    name, value = next(((n, v) for n, v in bad if n != 'loss'), bad[0])
    last = latest_checkpoint(runner.work_dir)
    remedy = f'the last good checkpoint is {last}' if last else 'no checkpoint was saved yet'
    raise UserError(
        f'{name} is {value} at iteration {runner.iter + 1}, on {", ".join(images)}; '
        f'{remedy}: look at that photo and its proposals, or lower the learning rate.'
    )
