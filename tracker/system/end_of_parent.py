"""Child processes that do not outlive their parent, however it ends."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection
from multiprocessing.context import BaseContext
from threading import Thread

# As for a program that SIGKILL ended.
_CODE = 128 + 9


@contextmanager
def end_of_parent(context: BaseContext) -> Iterator[Connection]:
    """A pipe that nobody writes to: its other end closes when this process ends.

    Yields:
        What the children get, for `leave_with_parent`.
    """
    theirs, ours = context.Pipe(duplex=False)
    try:
        yield theirs
    finally:
        ours.close()
        theirs.close()


def leave_with_parent(end: Connection, clean: Callable[[], object]) -> None:
    """In a child: end the process as soon as the parent has ended.

    Args:
        end: from `end_of_parent`.
        clean: called before, in a thread; the others go on meanwhile.
    """

    def watch() -> None:
        with suppress(EOFError, OSError):
            end.recv_bytes()
        with suppress(Exception):
            clean()
        os._exit(_CODE)

    Thread(target=watch, name="end-of-parent", daemon=True).start()
