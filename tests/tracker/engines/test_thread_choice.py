"""As few threads as keep up with a camera."""

from __future__ import annotations

from itertools import count

import pytest

from tracker.engines import thread_choice
from tracker.engines.thread_choice import fewest_threads


def choose(
    monkeypatch: pytest.MonkeyPatch, milliseconds: float, cores: int, threads: int | None
) -> tuple[tuple[int, int], list[int]]:
    """What is chosen for a network that takes so long, and the loads that it took."""
    loads: list[int] = []
    now = count()
    monkeypatch.setattr(thread_choice, "perf_counter", lambda: next(now) * milliseconds / 1000)
    monkeypatch.setattr(thread_choice, "available_cores", lambda: cores)

    def load(number: int) -> int:
        loads.append(number)
        return number

    return fewest_threads(load, lambda loaded: None, threads), loads


@pytest.mark.parametrize(
    ("milliseconds", "cores", "threads", "used", "loads"),
    [
        (5, 8, None, 1, [1]),
        (19, 8, None, 1, [1]),
        (21, 8, None, 8, [1, 8]),
        (30, 1, None, 1, [1]),
        (30, 8, 3, 3, [3]),
        (5, 8, 3, 3, [3]),
    ],
)
def test_a_slow_network_gets_all_cores_and_a_fast_one_a_thread(  # noqa: PLR0917 (a table's row)
    monkeypatch: pytest.MonkeyPatch,
    milliseconds: float,
    cores: int,
    threads: int | None,
    used: int,
    loads: list[int],
) -> None:
    assert choose(monkeypatch, milliseconds, cores, threads) == ((used, used), loads)


def test_a_slow_start_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    # Five runs of 40 ms, then five of 2.
    times = [0.0]
    for step in [0.04] * 5 + [0.002] * 5:
        times += [times[-1], times[-1] + step]
    moments = iter(times[1:])
    monkeypatch.setattr(thread_choice, "perf_counter", lambda: next(moments))
    monkeypatch.setattr(thread_choice, "available_cores", lambda: 8)
    assert fewest_threads(lambda number: number, lambda loaded: None, None) == (1, 1)
