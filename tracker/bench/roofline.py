"""What a device can do at most, measured: multiply-accumulates and bytes per second."""

from __future__ import annotations

from functools import partial
from importlib.util import find_spec
from time import perf_counter

import numpy as np

from tracker.bench.device_limit import Device, Limit, fastest

# Products of 0.1 and 1 ms: large enough for all cores, and short enough that among many runs some
# are not interrupted by other programs.
_SIDES = (256, 512)
# Far beyond any cache: 256 MB of 32-bit numbers, copied in pieces of 4 MB for the same reason.
_PIECES, _PIECE = 64, 1 << 20


def measure_limit(device: Device, width: int) -> Limit | None:
    """Measure a device.

    Args:
        device: "cpu" or "cuda".
        width: bytes of a number: 4 for 32-bit floats, 2 for f16 on a GPU and bf16 on a processor.

    Returns:
        Its speeds; None where it takes torch to measure them (all but 32 bits on a processor) and
        there is none.
    """
    if device == "cpu" and width == 4:
        return _processor_limit()
    if find_spec("torch") is None:
        return None
    from tracker.bench.torch_roofline import torch_limit  # noqa: PLC0415  (only where there is torch)

    return torch_limit(device, width)


def _processor_limit() -> Limit:
    """All cores multiply, one copies: NumPy has no more for that."""
    speeds = []
    for side in _SIDES:
        left, right, result = np.ones((3, side, side), dtype=np.float32)
        product = partial(np.matmul, left, right, out=result)
        speeds.append(side**3 / fastest(product))
    source = np.ones((_PIECES, _PIECE), dtype=np.float32)
    target = np.zeros_like(source) + np.float32(0)  # written, so that its pages are there
    times = []
    for old, new in zip(source, target, strict=True):
        start = perf_counter()
        np.copyto(new, old)
        times.append(perf_counter() - start)
    return Limit(max(speeds), 2 * source[0].nbytes / min(times))
