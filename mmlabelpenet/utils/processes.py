"""How processes end: signals as exceptions, and children that end with their parent."""

import ctypes
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from multiprocessing.process import BaseProcess
from types import FrameType

_PR_SET_PDEATHSIG = 1
# Seconds after which a request to stop is repeated.
AGAIN = 2.0
# Seconds within which all processes of a run get a signal.
LATE = 2.0


class StopRequest(KeyboardInterrupt):
    """A signal asks the process to end, as Ctrl-C does.

    Args:
        number: Of the signal.

    Attributes:
        number: Of the signal.
        advice: How to go on later; empty if there is nothing to say.
    """

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number
        self.advice = ''

    @property
    def sentence(self) -> str:
        """What has happened, and how to go on."""
        advice = f': {self.advice}' if self.advice else '.'
        return f'stopped by {signal.Signals(self.number).name}{advice}'


@contextmanager
def stop_requests() -> Iterator[None]:
    """Raise :class:`StopRequest` on Ctrl-C, SIGTERM and SIGHUP, so that everything is cleaned up.

    A signal that is ignored, as SIGHUP under ``nohup``, stays so.
    """
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.getsignal(number) for number in numbers}
    for number, handler in before.items():
        if handler != signal.SIG_IGN:
            signal.signal(number, _request_stop)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in before.items():
            signal.signal(number, handler)


def _request_stop(number: int, _: FrameType | None) -> None:
    """Raise the request, and again as long as it gets lost, as it does in a ``__del__``.

    Threads and destructors keep quiet from now on.
    """

    def again(*_: object) -> None:
        raise StopRequest(number)

    sys.excepthook = lambda *_: None
    sys.unraisablehook = lambda _: None
    threading.excepthook = lambda _: None
    signal.signal(signal.SIGALRM, again)
    signal.setitimer(signal.ITIMER_REAL, AGAIN, AGAIN)
    raise StopRequest(number)


@contextmanager
def stop_advice(advise: Callable[[], str] = str) -> Iterator[None]:
    """Add to a request to stop how to go on; it may have been turned into another error.

    Args:
        advise: Writes the half sentence.
    """
    try:
        yield
    except BaseException as error:
        stop = _request_of(error) or _late_request(error)
        if stop is None:
            raise
        stop.advice = stop.advice or advise()
        raise stop from None


def _request_of(error: BaseException | None) -> StopRequest | None:
    """Find the request to stop that an error comes from."""
    while error is not None and not isinstance(error, StopRequest):
        error = error.__cause__ or error.__context__
    return error


def _late_request(error: BaseException) -> StopRequest | None:
    """Wait for the request behind an error of a distributed run.

    Of several processes that are stopped, the first one breaks the connections of the others.
    """
    if isinstance(error, RuntimeError) and 'TORCHELASTIC_RUN_ID' in os.environ:
        try:
            time.sleep(LATE)
        except StopRequest as stop:
            return stop
    return None


def end_children(keep: Collection[BaseProcess] = ()) -> None:
    """End the child processes of ``multiprocessing``.

    Args:
        keep: Those that go on.
    """
    children = [one for one in multiprocessing.active_children() if one not in keep]
    for child in children:
        child.terminate()
    for child in children:
        child.join(1)


def end_with_parent(number: int = signal.SIGTERM) -> None:
    """Let this process get a signal when its parent ends, however that ends (on Linux).

    Args:
        number: Of the signal.
    """
    if sys.platform == 'linux':
        parent = os.getppid()
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, number)
        if os.getppid() != parent:
            os.kill(os.getpid(), number)


def start_pool_worker() -> None:
    """Set up a worker process: Ctrl-C is for its parent, with which it ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end_with_parent(signal.SIGKILL)
