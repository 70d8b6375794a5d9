"""The one place where an engine is picked."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import Any

from model.errors import InputError
from model.zoo import is_shipped_int8
from tracker.engines.base import BuildWatcher, Engine, Precision
from tracker.system.processor import has_dot_products

# name -> (module of the class, class, Python package it needs, how to get that).
_ENGINES: dict[str, tuple[str, str, str, str]] = {
    "openvino": (
        "tracker.engines.openvino",
        "OpenVinoEngine",
        "openvino",
        "pip install openvino",
    ),
    "onnxruntime": (
        "tracker.engines.onnxruntime",
        "OnnxRuntimeEngine",
        "onnxruntime",
        "pip install onnxruntime",
    ),
    # What it needs is several things at once; the engine says which one is missing.
    "tensorrt": ("tracker.engines.tensorrt.engine", "TensorRtEngine", "", ""),
    "torch": (
        "tracker.engines.torch",
        "create_torch_engine",
        "torch",
        "pip install 'propnet-tracker[train]'",
    ),
}


# The order of `auto`: a GPU beats the processor, and OpenVINO beats ONNX Runtime on every network
# size measured (docs/results.md). torch is for those who ask for it: it takes seconds to load.
_AUTO = ("tensorrt", "openvino", "onnxruntime")


ENGINES = ("auto", *_ENGINES)


# Those that compute in 8 bits where that is faster and as good.
_IN_INT8 = ("openvino", "onnxruntime")
# Rise of the NME, in its percent, up to which a network in 8 bits counts as good as in floats: a
# hundredth of the error itself.
_SAME_NME = 0.03


# Those that hand out boundary and attention maps.
_WITH_MAPS = ("openvino", "onnxruntime", "torch")


def create_engine(
    name: str,
    weights: str,
    threads: int | None = None,
    precision: Precision = "auto",
    maps: bool = False,
    *,
    watcher: BuildWatcher | None = None,
    keep: bool = True,
) -> Engine:
    """Load a network into an engine.

    Args:
        name: "tensorrt", "openvino", "onnxruntime", "torch", or "auto": the first of the first
            three that can run here, or the one that reads the given file. The engine's
            `description` says which one it is.
        weights: a shipped name ("propnet-s") or a path: .onnx; .safetensors for torch; .engine for
            tensorrt.
        threads: CPU threads; None for as few as keep up with a camera, see
            `tracker.engines.thread_choice`.
        precision: "f32", "f16" (on GPUs), "bf16" (OpenVINO: faster where the processor has it),
            "int8" (OpenVINO and ONNX Runtime: faster; NAME-int8.onnx of `export.quantize`), or
            "auto": what an int8 or .engine file is in, else the fastest that is as accurate: f16 on
            a GPU; on a processor int8 where it multiplies 8-bit numbers in vectors (VNNI, AMX,
            Arm's dot product) and the shipped int8 file was measured to have the NME of floats,
            f32 elsewhere.
        maps: whether boundary and attention maps are wanted too: a `MapEngine`, which "tensorrt"
            is not ("auto" passes it over).
        watcher: told about an engine that has to be built first; None logs what it is told.
        keep: whether OpenVINO's compiled network is kept for the next start; False for a file that
            will not be there again.

    Returns:
        The engine, ready to run. Close it when done.

    Raises:
        InputError: an unknown or missing engine, unusable weights, a precision that this engine or
            processor does not have, or maps from an engine or weights without them.
    """
    if threads is not None and threads < 1:
        raise InputError(f"an engine needs at least one thread, got {threads}.")
    if name not in ENGINES:
        raise InputError(f"no engine {name!r}; choose one of {', '.join(ENGINES)}.")
    if name == "auto":
        name = _choose(weights, precision, maps)
    if maps and name not in _WITH_MAPS:
        raise InputError(
            f"the engine {name!r} has no boundary and attention maps: leave these out of what is "
            f"drawn, or use one of {', '.join(_WITH_MAPS)}."
        )
    if precision == "auto" and name in _IN_INT8 and not maps and _int8_is_better(weights):
        precision = "int8"
    if (reason := missing(name)) is not None:
        raise InputError(reason)
    module, kind, _, _ = _ENGINES[name]
    options: dict[str, Any] = {"maps": True} if maps else {}
    if name == "tensorrt":
        options["watcher"] = watcher
    if name == "openvino":
        options["keep"] = keep
    engine: Engine = getattr(import_module(module), kind)(weights, threads, precision, **options)
    return engine


def missing(name: str) -> str | None:
    """Why an engine's package cannot be used, in a sentence; None if it is installed.

    Args:
        name: one of `ENGINES` but "auto". Of "tensorrt" only itself knows what is missing.
    """
    _, _, package, install = _ENGINES[name]
    if not package or _installed(package):
        return None
    return f"the engine {name!r} needs {package}: {install}."


def _choose(weights: str, precision: Precision, maps: bool = False) -> str:
    """What `auto` means here."""
    if weights.endswith(".engine"):
        return "tensorrt"
    if weights.endswith(".safetensors"):
        return "torch"
    for name in _AUTO:
        if maps and name not in _WITH_MAPS:
            continue
        if name == "tensorrt":
            there = precision not in ("bf16", "int8") and _tensorrt_takes(weights)
        else:
            there = _installed(_ENGINES[name][2])
        if there:
            return name
    raise InputError("no engine is installed: pip install openvino or onnxruntime.")


def _int8_is_better(weights: str) -> bool:
    """Whether a shipped network is to run in 8 bits here."""
    if not is_shipped_int8(weights) or not has_dot_products():
        return False
    from tracker.engines.onnx_file import read_onnx  # noqa: PLC0415  (onnx takes time to load)

    loss = read_onnx(weights, "int8").int8_loss
    return loss is not None and loss <= _SAME_NME


def _tensorrt_takes(weights: str) -> bool:
    """Whether TensorRT runs here, and runs this file: int8 networks are for processors."""
    if not _tensorrt_usable():
        return False
    from tracker.engines.onnx_file import read_onnx  # noqa: PLC0415  (onnx takes time to load)

    return not read_onnx(weights).int8


def _tensorrt_usable() -> bool:
    from tracker.engines.tensorrt.edition import usable  # noqa: PLC0415  (only where it is asked for)

    return usable()


def _installed(package: str) -> bool:
    return find_spec(package) is not None
