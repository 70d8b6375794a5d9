"""A network's heatmaps in its graph, as the decoder behind them reads them."""

from __future__ import annotations

import numpy as np
from onnx import TensorProto

from tracker.engines.graph_operators import Operators


class FlatMaps:
    """Heatmaps whose cells are numbered row by row.

    Attributes:
        side: cells per row.

    Args:
        op: adds to the graph.
        maps: name of [N, K, side, side], 32-bit floats.
        points: K.
        side: of the maps.
        channels_last: whether they are read as [N, side * side, K]: in the order in which
            processors keep them in memory, where [N, K, side * side] is a copy of 400 kB. What is
            read is the same to the bit; propnet-xs in 8 bits takes 0.06 ms of 1.13 less.
    """

    def __init__(
        self, op: Operators, maps: str, points: int, side: int, channels_last: bool
    ) -> None:
        self.side = side
        self._op, self._last = op, channels_last
        self._axis = 1 if channels_last else 2
        if channels_last:
            maps = op("Transpose", maps, perm=[0, 2, 3, 1])
        shape = (0, side * side, points) if channels_last else (0, points, side * side)
        self._flat = op("Reshape", maps, op.constant(np.array(shape)))

    def highest(self) -> tuple[str, str]:
        """The maximum of every map and its cell, [N, K, 1] each, 32-bit floats."""
        op, axis = self._op, self._op.constant(np.array([self._axis]))
        peak = op("ReduceMax", self._flat, axis, keepdims=1)
        # The first of equal maxima, as numpy takes it; TensorRT's ArgMax does not say which.
        # Whole numbers up to 2 ** 24 are exact in 32-bit floats.
        cells = np.arange(self.side**2, dtype=np.float32)
        places = op.constant(cells[None, :, None] if self._last else cells[None, None])
        equal = op("Where", op("Equal", self._flat, peak), places, op.constant(cells[-1]))
        best = op("ReduceMin", equal, axis, keepdims=1)
        return self._turned(peak), self._turned(best)

    def at(self, cells: str) -> str:
        """What the maps hold [N, K, D] in cells, 32-bit floats [N, K, D]."""
        index = self._turned(self._op("Cast", cells, to=TensorProto.INT64))
        return self._turned(self._op("GatherElements", self._flat, index, axis=self._axis))

    def _turned(self, values: str) -> str:
        """From [N, K, D] to the order of the maps, and back."""
        return self._op("Transpose", values, perm=[0, 2, 1]) if self._last else values
