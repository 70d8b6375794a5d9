"""CUDA graphs and copies of the torch engine: a single launch instead of hundreds."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

# torch's own recipe for recording: libraries set themselves up in the first runs.
_WARM_UP = 3


class RecordedGraph:
    """Work on pixels of one shape, recorded once.

    Args:
        work: from pixels to a result, on their device; must not wait for it.
        pixels: [N, S, S, 3], uint8, on a GPU: the first ones.
    """

    def __init__(self, work: Callable[[Tensor], Tensor], pixels: Tensor) -> None:
        self._input = pixels.clone()
        device = pixels.device
        side_stream = torch.cuda.Stream(device)
        side_stream.wait_stream(torch.cuda.current_stream(device))
        with torch.cuda.stream(side_stream):
            for _ in range(_WARM_UP):
                work(self._input)
        torch.cuda.current_stream(device).wait_stream(side_stream)
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._graph):
            self._output = work(self._input)

    def __call__(self, pixels: Tensor) -> Tensor:
        """The result; overwritten by the next call, on the stream after all that reads it."""
        self._input.copy_(pixels, non_blocking=True)
        self._graph.replay()
        return self._output


def upload(pixels: NDArray[np.uint8], device: torch.device) -> Tensor:
    """Begin to copy pixels to a GPU; they may be overwritten when this returns."""
    return pinned(torch.from_numpy(np.ascontiguousarray(pixels))).to(device, non_blocking=True)


def download(values: Tensor) -> Callable[[], NDArray[np.float64] | NDArray[np.float32]]:
    """Begin to copy a result to the processor.

    Args:
        values: on a GPU; may be overwritten by later work of its stream.

    Returns:
        Waits for the copy and gives an array of the caller's.
    """
    host = pinned(torch.empty(values.shape, dtype=values.dtype))
    host.copy_(values, non_blocking=True)
    done = torch.cuda.Event()
    done.record()

    def finish() -> NDArray[np.float64] | NDArray[np.float32]:
        done.synchronize()
        # Page-locked memory is scarce and goes back at once.
        return np.array(host.numpy())

    return finish


def pinned(values: Tensor) -> Tensor:
    """A copy in page-locked memory, without which no copy overlaps with anything."""
    return values.pin_memory()
