"""What a device can do at most, measured, and the least that a network asks of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter

import torch

from model.complexity import network_complexity
from model.config import PropNetConfig

# Long enough for the matrix units, short enough for a slow processor: 0.1 s there.
_SIDES = {"cpu": 1536, "cuda": 8192}
# Far beyond any cache, in 32-bit numbers: 256 MB.
_LENGTH = 1 << 26
_REPEATS = 5


@dataclass(frozen=True)
class Limit:
    """Measured speeds of a device.

    Attributes:
        macs: multiply-accumulates per second in a large matrix product.
        bandwidth: bytes per second read and written by a copy of a large array.
    """

    macs: float
    bandwidth: float

    def seconds(self, work: Work, batch: int) -> float:
        """The least time for a batch: it cannot compute faster, nor move data faster."""
        return max(batch * work.macs / self.macs, work.weight_bytes / self.bandwidth)


@dataclass(frozen=True)
class Work:
    """What one run of a network takes.

    Attributes:
        macs: multiply-accumulates for one crop.
        weight_bytes: read once for a batch. The maps between layers need not leave the caches.
    """

    macs: int
    weight_bytes: int


def network_work(config: PropNetConfig, size: int, width: int) -> Work:
    """Work of the exported path of a network.

    Args:
        config: the network.
        size: side of the input, pixels.
        width: bytes of a number, 4 or 2.
    """
    complexity = network_complexity(config, size)[1]
    return Work(complexity.macs, width * complexity.parameters)


def measure_limit(device: str, dtype: torch.dtype) -> Limit:
    """Measure a device.

    Args:
        device: "cpu" or "cuda".
        dtype: of the matrix product.
    """
    side = _SIDES[device]
    left, right = (torch.ones(side, side, dtype=dtype, device=device) for _ in range(2))
    source = torch.ones(_LENGTH, device=device)
    target = torch.empty_like(source)
    # TF32 would be another number format.
    with torch.backends.cudnn.flags(enabled=True, allow_tf32=False), torch.inference_mode():
        product = _fastest(lambda: left @ right, device)
        copy = _fastest(lambda: target.copy_(source), device)
    return Limit(side**3 / product, 2 * source.nbytes / copy)


def _fastest(run: Callable[[], object], device: str) -> float:
    """Seconds of the fastest of a few runs: the limit is what the device can do undisturbed."""
    times = []
    for _ in range(_REPEATS + 1):
        start = perf_counter()
        run()
        if device == "cuda":
            torch.cuda.synchronize()
        times.append(perf_counter() - start)
    return min(times[1:])
