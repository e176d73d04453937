"""What a command shows on the screen: short lines, warnings and progress bars.

Everything else that is logged goes to the log file alone.
"""

import io
import logging
import math
import re
import shutil
import sys
from typing import Any

from mmengine.dist import is_main_process
from mmengine.logging import MMLogger
from tqdm import tqdm

# Warnings of mmengine about what is meant: frozen layers, no scheduler, its own use of files.
EXPECTED = re.compile(
    r'\S+ is skipped since its requires_grad=False'
    r'|`(save|resume)_param_scheduler` is True but `self.param_schedulers` is None'
    r'|"(FileClient|HardDiskBackend)" (will be deprecated|is the alias)'
)
# Where there is no terminal, lines of progress are so many seconds and this share of the work
# apart at least; the delay, however short, leaves out the line of no progress.
SHARE = 0.01
LINES = dict(mininterval=60, maxinterval=math.inf, delay=1e-9, leave=False)


class ScreenHandler(logging.Handler):
    """Shows the lines of :func:`say` and warnings, above a progress bar if there is one."""

    def emit(self, record: logging.LogRecord) -> None:
        """Show a record, or leave it to the log file."""
        text, own = record.getMessage(), 'on_screen' in vars(record)
        if own or (record.levelno >= logging.WARNING and not EXPECTED.match(text)):
            tqdm.write(text if own else self.format(record), file=sys.stdout)
            sys.stdout.flush()


def quieten(logger: MMLogger) -> None:
    """Let a logger show on the screen only what :class:`ScreenHandler` shows."""
    for index, handler in enumerate(logger.handlers):
        if type(handler) is logging.StreamHandler:
            quiet = logger.handlers[index] = ScreenHandler(handler.level)
            quiet.formatter, quiet.filters = handler.formatter, handler.filters


def is_quiet(logger: MMLogger) -> bool:
    """Whether :func:`quieten` was called for a logger."""
    return any(isinstance(handler, ScreenHandler) for handler in logger.handlers)


def say(text: str) -> None:
    """Log a text that is also shown on the screen, by the main process."""
    MMLogger.get_current_instance().info(text, extra={'on_screen': True})


class _Lines(io.StringIO):
    """Writes each state of a bar as a line of its own, for logs of a cluster or of CI."""

    def write(self, text: str) -> int:
        if text.strip():
            print(text.strip(), file=sys.stderr, flush=True)
        return len(text)


def progress_bar(text: str, total: int, initial: int = 0, shown: bool = True) -> tqdm:
    """Make a progress bar with the time left; where there is no terminal, it is a line at times.

    Args:
        text: What is in progress.
        total: Number of steps, of which ``initial`` are done already.
        initial: See ``total``.
        shown: Whether the main process shows the bar; others never do.
    """
    state = '{n_fmt}/{total_fmt} [{elapsed}, {remaining} left{postfix}]'
    if sys.stderr.isatty():
        # terminals of some containers have no size
        sized = min(shutil.get_terminal_size((0, 0))) > 0
        look: dict[str, Any] = dict(dynamic_ncols=True) if sized else dict(ncols=80, nrows=20)
        state = f'{{l_bar}}{{bar}}| {state}'
    else:
        look = dict(LINES, file=_Lines(), miniters=max(1, math.ceil(total * SHARE)))
        state = f'{{desc}}: {state}'
    look |= dict(total=total, initial=initial, desc=text, bar_format=state)
    return tqdm(**look, disable=not (shown and is_main_process()))


def close_bars() -> None:
    """End all progress bars, so that a sentence begins on a line of its own."""
    for bar in list(tqdm._instances):
        bar.close()
