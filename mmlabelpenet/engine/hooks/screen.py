"""Progress on the screen."""

from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmlabelpenet.registry import HOOKS
from mmlabelpenet.utils import is_quiet, latest_checkpoint, progress_bar, say


@HOOKS.register_module()
class ScreenHook(Hook):
    """Shows a progress bar of the training or test where the log is kept off the screen.

    The tools of this package keep it off, and the log file has everything; with another runner, as
    mmdet's tools have, the screen is mmengine's. Other parts show a line by
    :func:`~mmlabelpenet.utils.say`, or a text beside the bar by
    ``runner.call_hook('report_progress', text=...)``.

    Args:
        verbose: Whether the tools of this package show the whole log too, as mmengine does.
    """

    priority = 'VERY_HIGH'

    def __init__(self, verbose: bool = False) -> None:
        self.verbose = verbose
        self.bar = progress_bar('', 0, shown=False)

    def before_train(self, runner: Runner) -> None:
        """Begin the bar over all iterations of the training."""
        say(f'The whole log is in {runner.logger.log_file}')
        shown = is_quiet(runner.logger)
        self.bar = progress_bar('training', runner.max_iters, runner.iter, shown)

    def report_progress(self, runner: Runner, text: str) -> None:
        """Say beside the bar what is in progress."""
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
        self.bar.set_description(runner.message_hub.get_info('phase', 'training'), refresh=False)
        # where nothing is shown, nothing is read from the device
        if outputs and 'loss' in outputs and not self.bar.disable:
            self.bar.set_postfix_str(f'loss {float(outputs["loss"]):.3f}', refresh=False)
        self.bar.update()

    def after_val_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Show the figures of a validation."""
        figures = ', '.join(f'{name} {value:.3f}' for name, value in (metrics or {}).items())
        say(f'Validation at iteration {runner.iter}: {figures}')

    def after_train(self, runner: Runner) -> None:
        """End the bar; name the last checkpoint."""
        self.bar.close()
        say(f'The last checkpoint is {latest_checkpoint(runner.work_dir)}')

    def before_test_epoch(self, runner: Runner) -> None:
        """Begin a bar over the batches of a set of images."""
        total = len(runner.test_loop.dataloader)
        self.bar = progress_bar('test', total, shown=is_quiet(runner.logger))

    def after_test_iter(self, runner: Runner, *args: object, **kwargs: object) -> None:
        """Advance the bar."""
        self.bar.update()

    def after_test_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """End the bar."""
        self.bar.close()
