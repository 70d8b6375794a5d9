"""The speeds of a device, and how the fastest of many runs is found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter
from typing import Literal

from tracker.bench.network_cost import Work

Device = Literal["cpu", "cuda"]
_REPEATS, _SECONDS = 5, 1.0


@dataclass(frozen=True)
class Limit:
    """Measured speeds of a device.

    Attributes:
        macs: multiply-accumulates per second in a large matrix product.
        bandwidth: bytes per second read and written by a copy of a large array.
    """

    macs: float
    bandwidth: float

    def seconds(self, work: Work, batch: float) -> float:
        """The least time for a batch: it cannot compute faster, nor move data faster."""
        return max(batch * work.macs / self.macs, work.weight_bytes / self.bandwidth)


def fastest(run: Callable[[], object]) -> float:
    """Seconds of the fastest of many runs: the limit is what the device can do undisturbed."""
    run()
    times: list[float] = []
    while len(times) < _REPEATS or sum(times) < _SECONDS:
        start = perf_counter()
        run()
        times.append(perf_counter() - start)
    return min(times)
