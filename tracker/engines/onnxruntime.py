"""ONNX Runtime on the CPU: the engine that runs everywhere."""

from __future__ import annotations

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from model.errors import InputError
from tracker.engines.base import Maps, Precision, normalize
from tracker.engines.onnx_file import ATTENTION, BOUNDARIES, INPUT, OUTPUT, read_onnx


class OnnxRuntimeEngine:
    """A network in ONNX Runtime, 32-bit floats or 8-bit integers.

    Thread safety: see `tracker.engines.base.Engine`.

    Args:
        weights: a shipped name or the path of an .onnx file.
        threads: CPU threads, None for all cores.
        precision: "f32", "int8" (a file of export.quantize) or "auto": what the file is in.
        maps: whether `with_maps` will be called.

    Raises:
        InputError: unusable weights, or a precision this engine does not have.
    """

    def __init__(
        self,
        weights: str,
        threads: int | None = None,
        precision: Precision = "auto",
        maps: bool = False,
    ) -> None:
        if precision not in ("auto", "f32", "int8"):
            raise InputError(
                f"the engine 'onnxruntime' has no precision {precision!r}: use f32 or int8."
            )
        file = read_onnx(weights, precision, maps)
        self.maps = maps
        options = ort.SessionOptions()
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
        options.intra_op_num_threads = threads or 0
        # Threads that wait actively for the next crop take the cores from decoder and encoder:
        # 23 instead of 27 frames/s for the whole chain on two cores.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        # Warnings about the graph mean nothing to who watches a video; errors are raised anyway.
        options.log_severity_level = 3
        try:
            self._session = ort.InferenceSession(
                file.data, options, providers=["CPUExecutionProvider"]
            )
        # The runtime's exceptions share no base class of their own.
        except Exception as error:
            raise InputError(f"ONNX Runtime cannot load {file.path}: {_line(error)}") from error
        self.info = file.info
        self.description = f"ONNX Runtime {ort.__version__}, CPU, {'int8' if file.int8 else 'f32'}"

    def __call__(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Run the network; see `tracker.engines.base.Engine`."""
        heatmaps = self._session.run([OUTPUT], {INPUT: normalize(crops)})[0]
        return np.asarray(heatmaps, dtype=np.float32)

    def with_maps(self, crops: NDArray[np.uint8]) -> tuple[NDArray[np.float32], Maps]:
        """Run the network; see `tracker.engines.base.MapEngine`."""
        heatmaps, boundaries, attention = (
            np.asarray(value, dtype=np.float32)
            for value in self._session.run(
                [OUTPUT, BOUNDARIES, ATTENTION], {INPUT: normalize(crops)}
            )
        )
        return heatmaps, Maps(boundaries, attention)

    def close(self) -> None:
        """Release the network."""
        del self._session


def _line(error: Exception) -> str:
    """The first line of an exception's text."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
