"""Ctrl-C as a wish to finish, for recordings that cannot be made again."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def interrupt_flag(
    once: bool, on_stop: Callable[[], object] = lambda: None
) -> Iterator[threading.Event]:
    """An event that ends the loop; for a source that is there only once, the first Ctrl-C sets it.

    Raising in the middle of a frame, as Python does otherwise, could tear the recording. The second
    Ctrl-C raises `KeyboardInterrupt` all the same.

    Args:
        once: False leaves Ctrl-C as it is, and the event unset.
        on_stop: called in the signal handler as well, to wake a loop that waits; takes no lock.

    Yields:
        The event.
    """
    stop = threading.Event()
    if not once or threading.current_thread() is not threading.main_thread():
        yield stop
        return

    def on_interrupt(number: int, frame: object) -> None:
        if stop.is_set():  # asked twice: the loop does not come around
            raise KeyboardInterrupt
        stop.set()
        on_stop()

    before = signal.signal(signal.SIGINT, on_interrupt)
    try:
        yield stop
    finally:
        signal.signal(signal.SIGINT, before)
