"""The runner of the tools."""

from typing import Any

from mmengine.logging import MMLogger
from mmengine.runner import Runner

from mmlabelpenet.utils import quieten


class QuietRunner(Runner):
    """mmengine's runner, whose screen is short from its start on, see :class:`ScreenHook`.

    A config without that hook, or with ``verbose=True`` for it, has mmengine's screen.
    """

    def build_logger(self, *args: Any, **kwargs: Any) -> MMLogger:
        """Build the logger; environment and config go to its file alone."""
        logger = super().build_logger(*args, **kwargs)
        screen = (self.cfg.get('default_hooks') or {}).get('screen')
        if screen and not screen.get('verbose'):
            quieten(logger)
        return logger

    def train(self) -> Any:
        """Train; a progress bar ends with the training, also in an error."""
        try:
            return super().train()
        finally:
            self.call_hook('close_progress')

    def test(self) -> dict:
        """Test; a progress bar ends with the test, also in an error."""
        try:
            return super().test()
        finally:
            self.call_hook('close_progress')
