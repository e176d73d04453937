"""What a command shows on the screen: short lines, warnings and progress bars.

Everything else that is logged goes to the log file alone.
"""

import io
import logging
import math
import re
import shutil
import sys

from mmengine.dist import is_main_process
from mmengine.logging import MMLogger
from tqdm import tqdm

# Warnings of mmengine about what is meant: frozen layers, no scheduler, its own use of files.
EXPECTED = re.compile(
    r'\S+ is skipped since its requires_grad=False'
    r'|`(save|resume)_param_scheduler` is True but `self.param_schedulers` is None'
    r'|"(FileClient|HardDiskBackend)" (will be deprecated|is the alias)'
)
# Where there is no terminal, a line of progress appears after so many seconds at least, and after
# this share of the work.
SECONDS, SHARE = 60, 0.01


class ScreenHandler(logging.Handler):
    """Shows the lines of :func:`say` and warnings, above a progress bar if there is one."""

    def emit(self, record: logging.LogRecord) -> None:
        """Show a record, or leave it to the log file."""
        text = record.getMessage()
        if 'on_screen' not in vars(record):
            if record.levelno < logging.WARNING or EXPECTED.match(text):
                return
            text = self.format(record)
        tqdm.write(text, file=sys.stdout)
        sys.stdout.flush()


def quieten(logger: MMLogger) -> None:
    """Let a logger show on the screen only what :class:`ScreenHandler` shows."""
    for index, handler in enumerate(logger.handlers):
        if type(handler) is logging.StreamHandler:
            quiet = ScreenHandler(handler.level)
            quiet.setFormatter(handler.formatter)
            quiet.filters = handler.filters
            logger.handlers[index] = quiet


def say(text: str) -> None:
    """Log a text that is also shown on the screen, by the main process."""
    MMLogger.get_current_instance().info(text, extra={'on_screen': True})


class _Lines(io.StringIO):
    """Writes each state of a bar as a line of its own, for logs of a cluster or of CI."""

    def write(self, text: str) -> int:
        if text.strip():
            print(text.strip(), file=sys.stderr, flush=True)
        return len(text)


def progress_bar(text: str, total: int, initial: int = 0) -> tqdm:
    """Make a progress bar with the time left; where there is no terminal, it is a line at times.

    Args:
        text: What is in progress.
        total: Number of steps.
        initial: Steps that are done already.

    Returns:
        The bar, which only the main process shows. Its owner closes it.
    """
    shown = '{n_fmt}/{total_fmt} [{elapsed}, {remaining} left{postfix}]'
    common = dict(total=total, initial=initial, desc=text, disable=not is_main_process())
    if sys.stderr.isatty():
        # terminals of some containers have no size
        sized = min(shutil.get_terminal_size((0, 0))) > 0
        size = dict(dynamic_ncols=True) if sized else dict(ncols=80, nrows=20)
        return tqdm(**common, **size, bar_format=f'{{l_bar}}{{bar}}| {shown}')
    return tqdm(
        **common,
        bar_format=f'{{desc}}: {shown}',
        file=_Lines(),
        leave=False,
        # however short, it leaves out the line of no progress
        delay=1e-9,
        mininterval=SECONDS,
        maxinterval=math.inf,
        miniters=max(1, math.ceil(total * SHARE)),
    )
