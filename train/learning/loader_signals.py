"""Leaving a run on SIGTERM or Ctrl-C without losing work."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

from model.stop_signals import SIGNALS

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
