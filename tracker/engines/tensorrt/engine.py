"""TensorRT on an NVIDIA GPU."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from model.decoder import Decoder
from model.errors import InputError
from tracker.assets.portrait import portrait_crops
from tracker.engines.base import BuildWatcher, LogWatcher, Points, Precision
from tracker.engines.decoder_graph import PEAKS, POINTS
from tracker.engines.onnx_file import OUTPUT, read_onnx
from tracker.engines.tensorrt.cuda import Gpu, find_gpu
from tracker.engines.tensorrt.edition import Flavour, choose_flavour
from tracker.engines.tensorrt.engine_record import EngineRecord, read_record
from tracker.engines.tensorrt.engine_store import (
    EnginePlan,
    EnginePrecision,
    cached_engine,
    given_engine,
)
from tracker.engines.tensorrt.runner import Runner
from tracker.system.home_process import HomeProcess


class TensorRtEngine:
    """A network in TensorRT 10, 11 or TensorRT for RTX.

    Weights by name or as an .onnx file are built into an engine the first time; it is kept (see
    `tracker.engines.cache_folder.cache_folder`). An .engine file is taken as it is.

    Thread safety: see `tracker.engines.base.Engine`. Several engines may live in one process.

    Args:
        weights: a shipped name, or the path of an .onnx or .engine file.
        threads: unused; for the other engines.
        precision: "f16", "f32", or "auto" for f16.
        graphs: False runs without CUDA graphs, to see what they win.
        watcher: told about a build.

    Raises:
        InputError: no GPU, no TensorRT, no pycuda; unusable weights; an engine for another GPU or
            TensorRT.
    """

    def __init__(
        self,
        weights: str,
        threads: int | None = None,
        precision: Precision = "auto",
        graphs: bool = True,
        *,
        watcher: BuildWatcher | None = None,
    ) -> None:
        del threads
        if precision in ("bf16", "int8"):
            raise InputError(
                f"the engine 'tensorrt' has no precision {precision!r}: use f16 or f32."
            )
        gpu = find_gpu()
        engine, record, flavour = _find_engine(weights, gpu, precision, watcher or LogWatcher())
        self._runner: Runner | None = Runner(flavour, engine, record, graphs)
        self._home = HomeProcess("this engine was made")
        self.info = record.info
        graph = ", CUDA graph" if self._runner.graphed else ""
        self.description = f"{flavour.title}, {gpu.name}, {record.precision}{graph}"

    def __call__(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Run the network; see `tracker.engines.base.Engine`."""
        return self._open().start(crops, (OUTPUT,))()[OUTPUT]

    def start(self, crops: NDArray[np.uint8], decoder: Decoder) -> Callable[[], Points]:
        """Put crops on their way; see `tracker.engines.base.PointEngine`."""
        finish = self._open().start(crops, (POINTS[decoder], PEAKS))

        def points() -> Points:
            results = finish()
            return results[POINTS[decoder]].astype(np.float64), results[PEAKS]

        return points

    def close(self) -> None:
        """Release the GPU's memory; a second call does nothing."""
        if self._runner is not None and self._home.is_here:
            self._runner.close()
            self._runner = None

    def _open(self) -> Runner:
        self._home.check()
        if self._runner is None:
            raise RuntimeError("this engine was closed")
        return self._runner


def _find_engine(
    weights: str, gpu: Gpu, precision: Precision, watcher: BuildWatcher
) -> tuple[bytes, EngineRecord, Flavour]:
    path = Path(weights)
    if path.suffix == ".engine":
        record = read_record(path)
        if precision not in ("auto", record.precision):
            raise InputError(f"{path} computes in {record.precision}, not {precision}.")
        flavour = choose_flavour(gpu)
        return *given_engine(path, flavour, gpu), flavour
    flavour = choose_flavour(gpu)
    # The network in floats: an int8 file is refused.
    layers: EnginePrecision = "f32" if precision == "f32" else "f16"
    plan = EnginePlan(read_onnx(weights, layers), flavour, layers)
    return *cached_engine(plan, portrait_crops, watcher), flavour
