"""Leaving a run on SIGTERM or Ctrl-C without losing work."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGTERM, signal.SIGINT)
# Windows has neither process groups nor signal masks; there Ctrl-C finds its own way.
_POSIX = hasattr(os, "setpgrp")


class Interrupted(Exception):  # noqa: N818 - nothing went wrong
    """A run stopped on a signal, after saving a checkpoint.

    Attributes:
        number: the signal; a process that dies of it has the exit code 128 + number.
    """

    def __init__(self, number: int) -> None:
        super().__init__(f"stopped by {signal.Signals(number).name}")
        self.number = number


@contextmanager
def held_signals() -> Iterator[Callable[[], int]]:
    """Note SIGTERM and Ctrl-C instead of dying of them.

    The first signal is noted; a second one acts as usual, for those who cannot wait.

    Yields:
        A function that returns the number of the signal that came, 0 if none did. In threads
        other than the main one Python delivers no signals, and it is always 0.
    """
    came = [0]
    if threading.current_thread() is not threading.main_thread():
        yield lambda: 0
        return
    before = {number: signal.getsignal(number) for number in SIGNALS}

    def restore() -> None:
        for number, handler in before.items():
            # None: a handler that was not set from Python, which cannot be put back.
            signal.signal(number, signal.SIG_DFL if handler is None else handler)

    def note(number: int, frame: FrameType | None) -> None:
        came[0] = number
        restore()

    for number in SIGNALS:
        signal.signal(number, note)
    try:
        yield lambda: came[0]
    finally:
        restore()


@contextmanager
def blocked_signals() -> Iterator[None]:
    """Keep signals waiting in this thread, and in the processes that it starts meanwhile."""
    if not _POSIX:
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def leave_group() -> None:
    """For loading processes: take no part in what is signalled to the group of the run.

    A terminal's Ctrl-C and `timeout` signal the whole group. The training process decides when to
    stop and needs its loaders until then; it ends them itself. To be called in a process started
    under `blocked_signals`, so that no signal comes before it has left.
    """
    if not _POSIX:
        return
    os.setpgrp()
    while waiting := signal.sigpending() & set(SIGNALS):
        signal.sigwait(waiting)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
