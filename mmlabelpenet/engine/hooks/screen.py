"""Progress on the screen."""

from mmengine.hooks import Hook
from mmengine.runner import Runner
from tqdm import tqdm

from mmlabelpenet.registry import HOOKS
from mmlabelpenet.utils import latest_checkpoint, progress_bar, quieten, say


@HOOKS.register_module()
class ScreenHook(Hook):
    """Shows a progress bar of the training or test, and keeps the log off the screen.

    The log file has everything. Other parts show a line by :func:`~mmlabelpenet.utils.say`, or
    a text beside the bar by ``runner.call_hook('report_progress', text=...)``.

    Args:
        verbose: Whether the whole log is shown instead, as mmengine does.
    """

    priority = 'VERY_HIGH'

    def __init__(self, verbose: bool = False) -> None:
        self.verbose = verbose
        self.bar: tqdm | None = None

    def before_run(self, runner: Runner) -> None:
        """Keep the log off the screen, also with a runner of another type."""
        if not self.verbose:
            quieten(runner.logger)

    def before_train(self, runner: Runner) -> None:
        """Begin the bar over all iterations of the training."""
        if not self.verbose:
            say(f'The whole log is in {runner.logger.log_file}')
        self._begin('training', runner.max_iters, runner.iter)

    def report_progress(self, runner: Runner, text: str) -> None:
        """Say beside the bar what is in progress."""
        if self.bar is not None:
            self.bar.set_description(text, refresh=False)
            # refreshes a bar, but writes no line where there is no terminal
            self.bar.update(0)

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: dict | None = None,
        outputs: dict | None = None,
    ) -> None:
        """Advance the bar; show the phase and the loss of the step."""
        if self.bar is None:
            return
        self.bar.set_description(runner.message_hub.get_info('phase', 'training'), refresh=False)
        if outputs and 'loss' in outputs:
            self.bar.set_postfix_str(f'loss {float(outputs["loss"]):.3f}', refresh=False)
        self.bar.update()

    def before_val_epoch(self, runner: Runner) -> None:
        """Say that a validation runs."""
        self.report_progress(runner, 'validation')

    def after_val_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Show the figures of a validation."""
        if self.bar is not None:
            figures = ', '.join(f'{name} {value:.3f}' for name, value in (metrics or {}).items())
            say(f'Validation at iteration {runner.iter}: {figures}')

    def after_train(self, runner: Runner) -> None:
        """End the bar; name the last checkpoint."""
        if self.bar is not None:
            self.close_progress(runner)
            say(f'The last checkpoint is {latest_checkpoint(runner.work_dir)}')

    def before_test_epoch(self, runner: Runner) -> None:
        """Begin a bar over the batches of a set of images."""
        self._begin('test', len(runner.test_loop.dataloader))

    def after_test_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: dict | None = None,
        outputs: object = None,
    ) -> None:
        """Advance the bar."""
        if self.bar is not None:
            self.bar.update()

    def after_test_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """End the bar."""
        self.close_progress(runner)

    def _begin(self, text: str, total: int, initial: int = 0) -> None:
        self.bar = None if self.verbose else progress_bar(text, total, initial)

    def close_progress(self, runner: Runner) -> None:
        """End the bar, if there is one."""
        if self.bar is not None:
            self.bar.close()
            self.bar = None
