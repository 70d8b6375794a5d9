"""A TensorRT engine from an exported network, its f16 arithmetic checked before it is built."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
import onnx
from numpy.typing import NDArray
from rich.console import Console

from export.agreement import Agreement, compare, landmarks_of
from model.errors import InputError
from tracker.commands.build_bar import BuildBar
from tracker.engines.onnx_file import read_onnx
from tracker.engines.onnxruntime import OnnxRuntimeEngine
from tracker.engines.tensorrt.builder import Batch
from tracker.engines.tensorrt.cuda import find_gpu
from tracker.engines.tensorrt.edition import (
    Flavour,
    choose_flavour,
    installed_flavours,
    load_flavour,
)
from tracker.engines.tensorrt.engine_record import EngineRecord, read_engine, record_path
from tracker.engines.tensorrt.engine_store import (
    EnginePlan,
    EnginePrecision,
    Prepared,
    make_engine,
    prepare,
)

# Mean distance, in pixels of the crop, by which rounding to 16 bits may move landmarks. A single
# landmark may move further where two peaks of its heatmap are equally high.
HALF_TOLERANCE = 0.05


@dataclass(frozen=True)
class EngineRequest:
    """What engine the user wants.

    Attributes:
        path: the .engine file to write.
        precision: "f16" or "f32".
        batch: crops at once.
        flavour: the TensorRT.
        overwrite: build it even if a fresh one is there, or a file that is not ours.
    """

    path: Path
    precision: EnginePrecision
    batch: Batch
    flavour: Flavour
    overwrite: bool

    @staticmethod
    def make(path: Path, precision: str, batch: str, rtx: bool, overwrite: bool) -> EngineRequest:
        """Check the options.

        Raises:
            InputError: an impossible option, no TensorRT, no GPU where one is needed, or a file
                at `path` that is not an engine of this project.
        """
        # As earlier versions called them.
        precision = {"fp16": "f16", "fp32": "f32"}.get(precision, precision)
        if precision not in ("f16", "f32"):
            raise InputError(f"no precision {precision!r}: use f16 or f32.")
        parsed = Batch.parse(batch)
        if path.exists() and not record_path(path).exists() and not overwrite:
            raise InputError(
                f"{path} exists and is not known to be an engine of this project: choose another "
                "name or give --overwrite."
            )
        flavour = load_flavour("tensorrt_rtx") if rtx else _flavour_here()
        return EngineRequest(path, cast(EnginePrecision, precision), parsed, flavour, overwrite)


def export_engine(
    request: EngineRequest, file: Path, crops: NDArray[np.uint8], console: Console
) -> EngineRecord:
    """Build the engine, unless the one that is there is still good.

    Args:
        request: what is wanted.
        file: the exported ONNX network.
        crops: [N, S, S, 3], real faces: overflows are looked for on them, and f16 is compared with
            f32.
        console: told what happens.

    Returns:
        The engine's record.

    Raises:
        InputError: f16 moves the landmarks too far, the build fails, or the disk is full.
    """
    path = request.path
    plan = EnginePlan(read_onnx(str(file)), request.flavour, request.precision, request.batch)
    reason = _stale(path, plan)
    if reason is None and not request.overwrite:
        console.print(f"{path} is up to date.", soft_wrap=True)
        return read_engine(path)[1]
    if reason:
        console.print(f"building {path} again: {reason}", soft_wrap=True)
    with console.status("measuring the network on the crops"):
        prepared = prepare(plan, lambda size: crops)
        agreement = half_agreement(prepared, file, crops) if plan.precision == "f16" else None
    if agreement is not None and not agreement.mean <= HALF_TOLERANCE:
        raise InputError(
            f"{path} is not written: in f16 the landmarks move too far ({agreement}); use "
            "--precision f32."
        )
    with BuildBar() as bar:
        record = make_engine(path, plan, prepared, bar.report)
    kept = f", {len(record.f32_layers)} layers in f32" if record.f32_layers else ""
    console.print(
        f"{path}: {path.stat().st_size / 1e6:.1f} MB, {record.info.name}, {record.precision}{kept},"
        f" batch {request.batch}, {request.flavour.title} for {record.gpu.name}, built in "
        f"{record.build_seconds:.1f} s"
        + (f"; f16 against f32 in ONNX Runtime: {agreement}" if agreement else "")
        + "; compare it on the GPU with python -m export.check",
        soft_wrap=True,
    )
    return record


def half_agreement(prepared: Prepared, file: Path, crops: NDArray[np.uint8]) -> Agreement:
    """f16 against f32 in ONNX Runtime, which rounds every layer's result as a GPU does."""
    with tempfile.TemporaryDirectory() as folder:
        half = Path(folder) / "half.onnx"
        onnx.save_model(prepared.model, half)
        engines = OnnxRuntimeEngine(str(file)), OnnxRuntimeEngine(str(half))
        reference, other = (landmarks_of(engine, crops) for engine in engines)
        for engine in engines:
            engine.close()
    return compare(reference, other)


def _stale(path: Path, plan: EnginePlan) -> str | None:
    """Why the engine at `path` does not do, as a sentence; empty if there is none, None if good."""
    if not path.exists():
        return ""
    try:
        _, record = read_engine(path)
    except InputError as error:
        return str(error)
    if record.key == plan.record().key:
        return None
    return "it is of another network, TensorRT, GPU, precision or batch."


def _flavour_here() -> Flavour:
    """TensorRT for this machine's GPU; without a GPU, TensorRT for RTX, which needs none."""
    try:
        gpu = find_gpu()
    except InputError:
        if "tensorrt_rtx" in installed_flavours():
            return load_flavour("tensorrt_rtx")
        load_flavour()  # says so if no TensorRT is installed at all
        raise
    return choose_flavour(gpu)
