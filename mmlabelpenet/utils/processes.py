"""How processes end: signals as exceptions, and children that end with their parent."""

import ctypes
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from multiprocessing.process import BaseProcess
from types import FrameType
from typing import ClassVar

_PR_SET_PDEATHSIG = 1
# Seconds after which a request to stop is repeated.
AGAIN = 2.0
# Seconds within which all processes of a run get a signal.
LATE = 2.0
_REQUESTS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class StopRequest(KeyboardInterrupt):
    """A signal asks the process to end, as Ctrl-C does.

    Args:
        number: Of the signal.
        advise: Writes how to go on later, half a sentence; empty if there is nothing to say.

    Attributes:
        number: Of the signal.
        advise: As given.
    """

    def __init__(self, number: int, advise: Callable[[], str] = str) -> None:
        super().__init__(number)
        self.number = number
        self.advise = advise

    @property
    def sentence(self) -> str:
        """What has happened, and how to go on."""
        advice = self.advise()
        end = f': {advice}' if advice else '.'
        return f'stopped by {signal.Signals(self.number).name}{end}'


class _Requests:
    """The request that this process got, and the advice of what it is doing, innermost last."""

    current: StopRequest | None = None
    expected = False
    advice: ClassVar[list[Callable[[], str]]] = []


@contextmanager
def stop_requests() -> Iterator[None]:
    """Raise :class:`StopRequest` on Ctrl-C, SIGTERM and SIGHUP, so that everything is cleaned up.

    A signal that is ignored, as SIGHUP under ``nohup``, stays so.
    """
    before = {number: signal.getsignal(number) for number in _REQUESTS}
    for number, handler in before.items():
        if handler != signal.SIG_IGN:
            signal.signal(number, _request_stop)
    _Requests.expected = True
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in before.items():
            signal.signal(number, handler)
        _Requests.current, _Requests.expected = None, False


def _request_stop(number: int, _: FrameType | None) -> None:
    """Raise the request, and again as long as it gets lost, as it does in a ``__del__``.

    Threads and destructors keep quiet from now on.
    """
    advise = _Requests.advice[-1] if _Requests.advice else str
    request = _Requests.current = _Requests.current or StopRequest(number, advise)

    def again(*_: object) -> None:
        raise request

    sys.excepthook = lambda *_: None
    sys.unraisablehook = lambda _: None
    threading.excepthook = lambda _: None
    signal.signal(signal.SIGALRM, again)
    signal.setitimer(signal.ITIMER_REAL, AGAIN, AGAIN)
    raise request


def _start_fork() -> None:
    """Let a forked process, as of a data loader, end quietly; Ctrl-C is for its parent."""
    if _Requests.expected:
        for number in _REQUESTS:
            signal.signal(number, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        _Requests.expected = False
        report = sys.excepthook
        # what a thread that serves tensors gets when the parent has ended
        lost = (ConnectionError, EOFError)
        sys.excepthook = lambda kind, *rest: issubclass(kind, lost) or report(kind, *rest)


if hasattr(os, 'register_at_fork'):
    os.register_at_fork(after_in_child=_start_fork)


@contextmanager
def stop_advice(advise: Callable[[], str] = str) -> Iterator[None]:
    """Add to a request to stop how to go on; it may have been turned into another error.

    Args:
        advise: Writes the half sentence.
    """
    _Requests.advice.append(advise)
    try:
        yield
    except BaseException as error:
        stop = _request_behind(error)
        if stop is None:
            raise
        raise stop from None
    finally:
        _Requests.advice.pop()


def _request_behind(error: BaseException) -> StopRequest | None:
    """Find the request to stop that an error comes from.

    Of several processes that are stopped, the first one breaks the connections of the others,
    which get their requests within a moment.
    """
    broken = isinstance(error, RuntimeError) and 'TORCHELASTIC_RUN_ID' in os.environ
    if broken and _Requests.current is None:
        with suppress(StopRequest):
            time.sleep(LATE)
    return _Requests.current


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
