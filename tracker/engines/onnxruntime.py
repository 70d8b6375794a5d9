"""ONNX Runtime on the CPU: the engine that runs everywhere."""

from __future__ import annotations

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from model.errors import InputError
from tracker.engines.base import Maps, Precision, normalize, on_processor
from tracker.engines.onnx_checks import check_output, running
from tracker.engines.onnx_file import ATTENTION, BOUNDARIES, INPUT, OUTPUT, read_onnx
from tracker.engines.ort_session import open_session
from tracker.engines.thread_choice import fewest_threads
from tracker.system.home_process import HomeProcess


class OnnxRuntimeEngine:
    """A network in ONNX Runtime, 32-bit floats or 8-bit integers.

    Thread safety: see `tracker.engines.base.Engine`.

    Args:
        weights: a shipped name or the path of an .onnx file.
        threads: CPU threads; None for as few as keep up with a camera.
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
        size = file.info.input_size
        blank = {INPUT: np.zeros((1, 3, size, size), dtype=np.float32)}
        with running("ONNX Runtime", file.path):
            self._session, used = fewest_threads(
                lambda count: open_session(file.data, file.path, count),
                lambda session: session.run([OUTPUT], blank),
                threads,
            )
            heatmaps = self._session.run([OUTPUT], blank)[0]
        check_output(np.shape(heatmaps), file.info, file.path)
        self._home = HomeProcess("this engine was made")
        self.info = file.info
        self.description = on_processor(
            f"ONNX Runtime {ort.__version__}", "int8" if file.int8 else "f32", used
        )

    def __call__(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Run the network; see `tracker.engines.base.Engine`."""
        self._home.check()
        heatmaps = self._session.run([OUTPUT], {INPUT: normalize(crops)})[0]
        return np.asarray(heatmaps, dtype=np.float32)

    def with_maps(self, crops: NDArray[np.uint8]) -> tuple[NDArray[np.float32], Maps]:
        """Run the network; see `tracker.engines.base.MapEngine`."""
        self._home.check()
        heatmaps, boundaries, attention = (
            np.asarray(value, dtype=np.float32)
            for value in self._session.run(
                [OUTPUT, BOUNDARIES, ATTENTION], {INPUT: normalize(crops)}
            )
        )
        return heatmaps, Maps(boundaries, attention)

    def close(self) -> None:
        """Release the network; in another process this does nothing."""
        if self._home.is_here:
            del self._session
