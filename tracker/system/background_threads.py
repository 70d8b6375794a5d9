"""Reading ahead and writing behind, so that decoder, network and encoder work at the same time.

The libraries behind all three release Python's lock while they compute. On two cores with a 640x480
clip this takes the whole chain from 35 to 42 frames/s with 32-bit arithmetic, from 62 to 85 with
bf16.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from queue import Empty, Queue
from threading import Thread
from types import TracebackType
from typing import Generic, Self, TypeVar

from tracker.system.closing import Closing

Item = TypeVar("Item")

# Evens out the encoder's and decoder's bursts (groups of pictures); more would only cost memory,
# 1 MB per 640x480 frame.
DEPTH = 3
# How often a thread that waits looks whether it is still wanted, seconds.
_PATIENCE = 0.05


class ReadAhead(Closing, Generic[Item]):
    """An iterator whose items are made in a thread of their own, a few in advance.

    Order is kept, nothing is dropped, and an exception of the source is raised at the place of the
    item that it kept from coming. Close it (or use it as a context manager) before closing what it
    reads from.

    Args:
        items: the source; after this, only the thread may touch it.
        depth: how many items to have ready.
    """

    def __init__(self, items: Iterable[Item], depth: int = DEPTH) -> None:
        self._items = items
        # Lists of one item, or an exception: StopIteration at the end.
        self._queue: Queue[list[Item] | BaseException] = Queue(depth)
        self._closed = False
        self._over = False
        self._thread = Thread(target=self._run, name="read-ahead", daemon=True)
        self._thread.start()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Item:
        if self._over or self._closed:
            raise StopIteration
        item = self._queue.get()
        if isinstance(item, BaseException):
            self._over = True
            raise item
        return item[0]

    def close(self) -> None:
        """Stop reading; returns when the thread has let go of the source."""
        self._closed = True
        while self._thread.is_alive():
            # The thread may be waiting for room.
            with suppress(Empty):
                self._queue.get(timeout=_PATIENCE)
        self._thread.join()

    def _run(self) -> None:
        try:
            for item in self._items:
                if self._closed:
                    return
                self._queue.put([item])
            end: BaseException = StopIteration()
        # Whatever went wrong goes wrong in the thread that asked.
        except BaseException as error:
            end = error
        if not self._closed:
            self._queue.put(end)


class WriteBehind(Generic[Item]):
    """Does a piece of work for every item in a thread of its own, in order.

    A context manager: leaving the block waits until everything is done; leaving it by an exception
    drops what has not begun.

    Args:
        work: called with one item after the other.
        depth: how many items may wait; `put` blocks beyond that.
    """

    def __init__(self, work: Callable[[Item], object], depth: int = DEPTH) -> None:
        self._work = work
        self._queue: Queue[list[Item] | None] = Queue(depth)  # None: no more to come
        self._error: BaseException | None = None
        self._dropping = False
        self._thread = Thread(target=self._run, name="write-behind", daemon=True)
        self._thread.start()

    def put(self, item: Item) -> None:
        """Hand over an item.

        Raises:
            BaseException: what the work on an earlier item raised.
        """
        self._check()
        self._queue.put([item])

    def close(self) -> None:
        """Wait until all work is done. A second call does nothing.

        Raises:
            BaseException: what the work on an item raised.
        """
        if self._thread.is_alive():
            self._queue.put(None)
            self._thread.join()
        self._check()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._dropping = kind is not None
        if kind is None:
            self.close()
        elif self._thread.is_alive():
            self._queue.put(None)
            self._thread.join()

    def _check(self) -> None:
        if self._error is not None:
            error, self._error = self._error, None
            self._dropping = True
            raise error

    def _run(self) -> None:
        while (item := self._queue.get()) is not None:
            # After a failure the queue is emptied, so that `put` never waits for ever.
            if self._error is not None or self._dropping:
                continue
            try:
                self._work(item[0])
            except BaseException as error:
                self._error = error
