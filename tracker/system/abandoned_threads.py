"""Threads that are left waiting in native code when a command ends."""

from __future__ import annotations

import os
import sys
from threading import Thread
from weakref import WeakSet

# Those that have ended since are forgotten.
_abandoned: WeakSet[Thread] = WeakSet()


def abandon(thread: Thread) -> None:
    """Note a daemon thread that nobody waits for and that may call Python from native code.

    FFmpeg asks ten times a second whether it is to go on, and PyAV asks Python for it: once the
    interpreter has ended, while the process runs its last handlers, that is a crash.
    """
    _abandoned.add(thread)


def leave_at_once(code: int) -> None:
    """End the process here, without the interpreter's own end, if such a thread still waits."""
    if any(thread.is_alive() for thread in _abandoned):
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
