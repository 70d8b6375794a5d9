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
from model.weights import load_network
from model.zoo import INT8, find_int8, shipped
from tracker.engines.base import Engine, Precision
from tracker.engines.create import create_engine
from tracker.engines.onnx_file import read_onnx
from tracker.engines.tensorrt.engine import TensorRtEngine
from tracker.engines.tensorrt.half_precision import measure_peaks, overflowing, to_half
from tracker.engines.torch import open_torch_engine

# Percent of the inter-ocular distance; papers give NME with two digits.
NME_TOLERANCE = 0.01
# 8 bits cost accuracy; export.quantize writes no file that loses more.
INT8_NME_TOLERANCE = 0.1
# Pixels of the crop: measured 0.18 with a tenth of the network in floats, 0.64 without.
INT8_MEAN_TOLERANCE = 0.5


@dataclass(frozen=True)
class Network:
    """One network in the forms that engines read.

    Attributes:
        weights: shipped name or .safetensors file, for torch.
        onnx: the exported network.
        engine: a TensorRT engine of it; None builds one.
        crops: [N, S, S, 3], real faces: what an f16 network's overflows are looked for on.
        threads: CPU threads; None for as few as keep up with a camera.
        graphs: whether engines on a GPU may use CUDA graphs.
        int8: the network of export.quantize; None if there is none.
    """

    weights: str
    onnx: Path
    engine: Path | None
    crops: NDArray[np.uint8]
    threads: int | None = None
    graphs: bool = True
    int8: Path | None = None


@dataclass(frozen=True)
class Candidate:
    """An engine to compare.

    Attributes:
        exact: whether it computes in 32 bits, so that every landmark must agree.
        open: makes it; raises InputError where it cannot run.
        mean: largest mean distance from torch, pixels of the crop, if it may be over the command's.
        nme: largest change of the NME, percent of the inter-ocular distance.
    """

    exact: bool
    open: Callable[[Network], Engine]
    mean: float = 0.0
    nme: float = NME_TOLERANCE


def _torch_half(network: Network) -> Engine:
    return open_torch_engine(network.weights, "auto", "f16", network.graphs)


def _onnxruntime_half(network: Network) -> Engine:
    """The graph that TensorRT gets, on a processor that rounds every layer's result to f16."""
    model = onnx.load_model_from_string(read_onnx(str(network.onnx)).data)
    half = to_half(model, overflowing(model, measure_peaks(model, network.crops)))
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "half.onnx"
        onnx.save_model(half, file)
        engine = create_engine("onnxruntime", str(file), network.threads)
    engine.description = engine.description.replace("f32", "f16 graph")
    return engine


def _from_onnx(name: str, precision: Precision) -> Callable[[Network], Engine]:
    def open_engine(network: Network) -> Engine:
        return create_engine(name, str(network.onnx), network.threads, precision)

    return open_engine


def _int8(name: str) -> Candidate:
    def open_engine(network: Network) -> Engine:
        if network.int8 is None:
            raise InputError(
                f"there is no int8 network of {network.weights}: make one with "
                "python -m export.quantize and give it with --int8."
            )
        return create_engine(name, str(network.int8), network.threads, "int8")

    return Candidate(False, open_engine, INT8_MEAN_TOLERANCE, INT8_NME_TOLERANCE)


def _tensorrt(precision: Precision) -> Callable[[Network], Engine]:
    def open_engine(network: Network) -> Engine:
        weights = str(network.engine or network.onnx)
        return TensorRtEngine(weights, network.threads, precision, network.graphs)

    return open_engine


CANDIDATES: dict[str, Candidate] = {
    "torch-f16": Candidate(False, _torch_half),
    "onnxruntime-f32": Candidate(True, _from_onnx("onnxruntime", "f32")),
    "onnxruntime-f16": Candidate(False, _onnxruntime_half),
    "onnxruntime-int8": _int8("onnxruntime"),
    "openvino-f32": Candidate(True, _from_onnx("openvino", "f32")),
    "openvino-bf16": Candidate(False, _from_onnx("openvino", "bf16")),
    "openvino-int8": _int8("openvino"),
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


def int8_network(weights: str, given: Path | None = None) -> Path | None:
    """The int8 network of some weights, if there is one.

    Args:
        weights: shipped name, or a .safetensors file with STEM-int8.onnx beside it.
        given: the file, if the user named it.

    Raises:
        InputError: it is not an int8 network, or not of these weights.
    """
    path = given
    if path is None and weights.endswith(".safetensors"):
        own = Path(weights)
        beside = own.with_name(f"{own.stem}{INT8}.onnx")
        path = beside if beside.is_file() else None
    elif path is None and f"{weights}{INT8}.onnx" in shipped():
        path = find_int8(weights)
    if path is not None:
        source = load_network(weights)[1].sha256
        if read_onnx(str(path), "int8").info.weights_sha256 != source:
            raise InputError(f"{path} was not made from the weights {weights}: quantise it again.")
    return path


def chosen(text: str) -> tuple[str, ...]:
    """Names of candidates from "all" or a list with commas; "openvino" means both of its own.

    An int8 network is another file, so it is asked for by its full name.

    Raises:
        InputError: an unknown name.
    """
    if text == "all":
        return tuple(CANDIDATES)
    names: list[str] = []
    for part in text.split(","):
        found = [
            name
            for name in CANDIDATES
            if part == name or (part == name.split("-")[0] and not name.endswith("-int8"))
        ]
        if not found:
            raise InputError(
                f"no engine {part!r}; choose all, or some of {', '.join(CANDIDATES)}, with commas."
            )
        names += found
    return tuple(dict.fromkeys(names))
