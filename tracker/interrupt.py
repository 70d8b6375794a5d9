"""Ctrl-C as a wish to finish, for recordings that cannot be made again."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def interrupt_flag(live: bool) -> Iterator[threading.Event]:
    """An event that ends the loop; for a live source, the first Ctrl-C sets it.

    Raising in the middle of a frame, as Python does otherwise, could tear the recording. The second
    Ctrl-C raises `KeyboardInterrupt` all the same.

    Args:
        live: False leaves Ctrl-C as it is, and the event unset.

    Yields:
        The event.
    """
    stop = threading.Event()
    if not live or threading.current_thread() is not threading.main_thread():
        yield stop
        return

    def on_interrupt(number: int, frame: object) -> None:
        if stop.is_set():  # asked twice: the loop does not come around
            raise KeyboardInterrupt
        stop.set()

    before = signal.signal(signal.SIGINT, on_interrupt)
    try:
        yield stop
    finally:
        signal.signal(signal.SIGINT, before)
