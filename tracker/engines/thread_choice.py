"""How many threads a network gets for one face: as few as keep up with a camera."""

from __future__ import annotations

from collections.abc import Callable
from statistics import median
from time import perf_counter
from typing import TypeVar

from tracker.system.cores import available_cores

# A network that answers within this, seconds, with one thread needs no more: a camera's frame lasts
# half as long again. Threads wait for each other: a second one takes propnet-m in 8 bits from 13.6
# to 8.1 ms, at the price of 16 ms of the processor's time.
_PROMPT = 0.02
_RUNS = 5


Loaded = TypeVar("Loaded")


def fewest_threads(
    load: Callable[[int], Loaded], run: Callable[[Loaded], object], threads: int | None
) -> tuple[Loaded, int]:
    """Load a network with one thread, or with all cores if one is too slow.

    Args:
        load: loads the network with a number of threads.
        run: runs it on one face.
        threads: what the user asked for; None to choose.

    Returns:
        The network and its threads.
    """
    loaded = load(threads or 1)
    cores = available_cores()
    if threads is not None or cores == 1 or _seconds(lambda: run(loaded)) <= _PROMPT:
        return loaded, threads or 1
    return load(cores), cores


def _seconds(run: Callable[[], object]) -> float:
    """Median time of the faster half of some runs: the first ones fill caches."""
    taken = []
    for _ in range(2 * _RUNS):
        start = perf_counter()
        run()
        taken.append(perf_counter() - start)
    return median(sorted(taken)[:_RUNS])
