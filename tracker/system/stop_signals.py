"""Ctrl-C and SIGTERM as a wish to finish: what was tracked until then is kept."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)
_NAMES = {int(signal.SIGINT): "Ctrl-C", int(signal.SIGTERM): "SIGTERM"}


@dataclass
class StopFlag:
    """What a signal sets. No event: that takes a lock, which the interrupted code may hold.

    Attributes:
        number: of the signal; 0 while there was none.
    """

    number: int = 0

    def is_set(self) -> bool:
        """Whether a signal came."""
        return self.number != 0

    @property
    def name(self) -> str:
        """The signal as its sender calls it."""
        return _NAMES.get(self.number, "")

    @property
    def exit_code(self) -> int:
        """What a shell expects of a program that this signal ended: 130 for Ctrl-C."""
        return 128 + self.number


@contextmanager
def interrupt_flag(held: bool, on_stop: Callable[[], object] = lambda: None) -> Iterator[StopFlag]:
    """A flag that ends the loop: the first Ctrl-C or SIGTERM sets it.

    Raising in the middle of a frame, as Python does otherwise, could tear a file. The second one
    raises `KeyboardInterrupt` all the same, for those who do not want to wait.

    Args:
        held: False leaves the signals as they are, and the flag unset.
        on_stop: called in the signal handler as well, to wake a loop that waits; takes no lock.

    Yields:
        The flag. In threads other than the main one Python delivers no signals: it stays unset.
    """
    stop = StopFlag()
    if not held or threading.current_thread() is not threading.main_thread():
        yield stop
        return

    def on_signal(number: int, frame: FrameType | None) -> None:
        if stop.is_set():  # asked twice: the loop does not come around
            raise KeyboardInterrupt
        stop.number = number
        on_stop()

    before = {number: signal.signal(number, on_signal) for number in SIGNALS}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            # None: a handler that was not set from Python, which cannot be put back.
            signal.signal(number, signal.SIG_DFL if handler is None else handler)


@contextmanager
def sigterm_exits() -> Iterator[None]:
    """SIGTERM ends the program by `SystemExit`, so that unfinished files are cleaned away."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came = StopFlag()

    def on_signal(number: int, frame: FrameType | None) -> None:
        came.number = number
        sys.exit(came.exit_code)

    before = signal.signal(signal.SIGTERM, on_signal)
    try:
        yield
    except SystemExit as end:
        # Ray's waiting hands the exception on with a code of its own.
        end.code = came.exit_code if came.is_set() else end.code
        raise
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL if before is None else before)
