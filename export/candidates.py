"""The engines that can be compared with torch, each with the precisions it has."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray

from model.errors import InputError
from tracker.engines import Engine, Precision, create_engine
from tracker.engines.onnx_file import read_onnx
from tracker.engines.tensorrt import TensorRtEngine
from tracker.engines.torch import open_torch_engine
from tracker.tensorrt.half import measure_peaks, overflowing, to_half


@dataclass(frozen=True)
class Network:
    """One network in the forms that engines read.

    Attributes:
        weights: shipped name or .safetensors file, for torch.
        onnx: the exported network.
        engine: a TensorRT engine of it; None builds one.
        crops: [N, S, S, 3], real faces: what an fp16 network's overflows are looked for on.
        threads: CPU threads, None for all cores.
        graphs: whether engines on a GPU may use CUDA graphs.
    """

    weights: str
    onnx: Path
    engine: Path | None
    crops: NDArray[np.uint8]
    threads: int | None = None
    graphs: bool = True


@dataclass(frozen=True)
class Candidate:
    """An engine to compare.

    Attributes:
        exact: whether it computes in 32 bits, so that every landmark must agree.
        open: makes it; raises InputError where it cannot run.
    """

    exact: bool
    open: Callable[[Network], Engine]


def _torch_half(network: Network) -> Engine:
    return open_torch_engine(network.weights, "auto", "f16", network.graphs)


def _onnxruntime_half(network: Network) -> Engine:
    """The graph that TensorRT gets, on a processor that rounds every layer's result to fp16."""
    model = onnx.load_model_from_string(read_onnx(str(network.onnx)).data)
    half = to_half(model, overflowing(model, measure_peaks(model, network.crops)))
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "half.onnx"
        onnx.save_model(half, file)
        engine = create_engine("onnxruntime", str(file), network.threads)
    engine.description = engine.description.replace("f32", "fp16 graph")
    return engine


def _from_onnx(name: str, precision: Precision) -> Callable[[Network], Engine]:
    def open_engine(network: Network) -> Engine:
        return create_engine(name, str(network.onnx), network.threads, precision)

    return open_engine


def _tensorrt(precision: Precision) -> Callable[[Network], Engine]:
    def open_engine(network: Network) -> Engine:
        weights = str(network.engine or network.onnx)
        return TensorRtEngine(weights, network.threads, precision, network.graphs)

    return open_engine


CANDIDATES: dict[str, Candidate] = {
    "torch-f16": Candidate(False, _torch_half),
    "onnxruntime-f32": Candidate(True, _from_onnx("onnxruntime", "f32")),
    "onnxruntime-f16": Candidate(False, _onnxruntime_half),
    "openvino-f32": Candidate(True, _from_onnx("openvino", "f32")),
    "openvino-bf16": Candidate(False, _from_onnx("openvino", "bf16")),
    "tensorrt-f32": Candidate(True, _tensorrt("f32")),
    "tensorrt-f16": Candidate(False, _tensorrt("f16")),
}


@contextmanager
def opened(name: str, network: Network) -> Iterator[Engine]:
    """A candidate, closed at the end.

    Raises:
        InputError: it cannot run here; says why.
    """
    with closing(CANDIDATES[name].open(network)) as engine:
        yield engine


def chosen(text: str) -> tuple[str, ...]:
    """Names of candidates from "all" or a list with commas; "openvino" means both of its own.

    Raises:
        InputError: an unknown name.
    """
    if text == "all":
        return tuple(CANDIDATES)
    names: list[str] = []
    for part in text.split(","):
        found = [name for name in CANDIDATES if part in (name, name.split("-")[0])]
        if not found:
            raise InputError(
                f"no engine {part!r}; choose all, or some of {', '.join(CANDIDATES)}, with commas."
            )
        names += found
    return tuple(dict.fromkeys(names))
