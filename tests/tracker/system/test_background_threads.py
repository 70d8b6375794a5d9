import threading
import time
from collections.abc import Iterator

import pytest

from model.errors import InputError
from tracker.system.background_threads import ReadAhead, WriteBehind


def alive(name: str) -> bool:
    return any(thread.name == name for thread in threading.enumerate())


def test_read_ahead_keeps_order_and_drops_nothing() -> None:
    with ReadAhead(range(500), depth=3) as items:
        assert list(items) == list(range(500))
        assert list(items) == []  # it is over
    assert not alive("read-ahead")


def test_read_ahead_is_ahead_but_not_far() -> None:
    made = []

    def source() -> Iterator[int]:
        for i in range(100):
            made.append(i)
            yield i

    with ReadAhead(source(), depth=3) as items:
        assert next(items) == 0
        deadline = time.monotonic() + 5
        while len(made) < 5 and time.monotonic() < deadline:
            time.sleep(0.001)
        time.sleep(0.05)
        # One taken, three waiting, one in the thread's hand.
        assert len(made) == 5
    assert len(made) <= 6


def test_read_ahead_raises_where_the_source_does() -> None:
    def source() -> Iterator[int]:
        yield 1
        yield 2
        raise InputError("cut short")

    items = ReadAhead(source())
    assert [next(items), next(items)] == [1, 2]
    with pytest.raises(InputError, match="cut short"):
        next(items)
    assert list(items) == []
    items.close()


def test_read_ahead_can_be_closed_in_the_middle() -> None:
    released = threading.Event()

    def source() -> Iterator[int]:
        try:
            while True:
                yield 0
        finally:
            released.set()

    endless = source()
    items = ReadAhead(endless)
    next(items)
    items.close()
    assert not alive("read-ahead")
    # Nobody runs the generator any more, so it can be closed here.
    endless.close()
    assert released.is_set()
    assert list(items) == []


def test_write_behind_works_in_order_and_waits_for_the_end() -> None:
    done = []

    def work(item: int) -> None:
        time.sleep(0.001)
        done.append(item)

    with WriteBehind(work, depth=2) as sink:
        for i in range(50):
            sink.put(i)
        assert len(done) < 50  # handed over, not waited for
    assert done == list(range(50))
    assert not alive("write-behind")
    sink.close()


def test_write_behind_reports_a_failure_once_and_never_blocks() -> None:
    done = []

    def work(item: int) -> None:
        if item == 3:
            raise InputError("disk full")
        done.append(item)

    def use() -> None:
        with WriteBehind(work, depth=1) as sink:
            for i in range(1000):
                sink.put(i)

    with pytest.raises(InputError, match="disk full"):
        use()
    assert done == [0, 1, 2]
    assert not alive("write-behind")
    # The last item's failure comes with the end.
    with pytest.raises(InputError, match="disk full"), WriteBehind(work) as sink:
        sink.put(3)


def test_write_behind_drops_what_waits_after_an_exception() -> None:
    done = []
    gate = threading.Event()

    def work(item: int) -> None:
        gate.wait(5)
        done.append(item)

    with pytest.raises(KeyboardInterrupt), WriteBehind(work, depth=5) as sink:
        for i in range(5):
            sink.put(i)
        threading.Timer(0.05, gate.set).start()
        raise KeyboardInterrupt
    assert len(done) <= 1
    assert not alive("write-behind")
