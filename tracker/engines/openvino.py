"""OpenVINO on the CPU: the fastest engine on x86 processors."""

from __future__ import annotations

from typing import Any

import numpy as np
import openvino as ov
from numpy.typing import NDArray

from model.errors import InputError
from model.heatmap import STRIDE
from model.markup import MARKUPS
from tracker.engines.base import Precision, normalize
from tracker.engines.onnx_file import INPUT, OnnxFile, read_onnx

_DEVICE = "CPU"


class OpenVinoEngine:
    """A network in OpenVINO.

    Faces go through one compiled network of batch size 1, one after the other. Per crop of 256 px,
    two cores, f32 / bf16: looped 16.6 / 6.4 ms for four faces, one network per batch size 15.5 /
    5.1 ms, a dynamic batch 17.1 / 6.4 ms (and 19.2 / 9.1 ms for one face, looped 17.9 / 7.8). One
    network per batch size would gain 7 to 20 % with several faces, and stop the video for 0.4 s
    whenever a new number of faces appears.

    bf16 is two to three times as fast where the processor has AMX, and just as accurate on average
    (dev NME 4.526 against 4.524 %), but it moves single points: by 0.06 px of a 128 px crop on
    average, by 0.4 px at the 99th percentile. All engines shall give the same points to 0.1 px, so
    "auto" is f32, and bf16 is a choice. So is int8, for the same reason: of a 192 px crop it moves
    points by 0.18 px on average, by 1.3 px at the 99th percentile, single ones by 22 px.

    Thread safety: see `tracker.engines.base.Engine`.

    Args:
        weights: a shipped name or the path of an .onnx file.
        threads: CPU threads, None for all cores.
        precision: "f32", "bf16" (needs a processor with AVX-512 BF16 or AMX), "int8" (a file of
            export.quantize) or "auto": f32, or int8 if that is what the file is in.

    Raises:
        InputError: unusable weights, or a precision this processor does not have.
    """

    def __init__(
        self, weights: str, threads: int | None = None, precision: Precision = "auto"
    ) -> None:
        core = ov.Core()
        kind = _choose(core, precision)
        file = read_onnx(weights, precision)
        settings: dict[str, Any] = {
            # One answer soon, not many answers per second.
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_PRECISION_HINT": kind,
        }
        if threads is not None:
            settings["INFERENCE_NUM_THREADS"] = threads
        self._request = _compile(core, file, settings).create_infer_request()
        self.info = file.info
        side = file.info.input_size // STRIDE
        self._shape = (MARKUPS[file.info.markup].points, side, side)
        version = ".".join(ov.get_version().split("-")[0].split(".")[:2])
        self.description = f"OpenVINO {version}, CPU, {'int8' if file.int8 else kind}"

    def __call__(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Run the network; see `tracker.engines.base.Engine`."""
        heatmaps = np.empty((len(crops), *self._shape), dtype=np.float32)
        for target, planes in zip(heatmaps, normalize(crops), strict=True):
            result = self._request.infer([planes[None]], share_inputs=True, share_outputs=True)
            target[...] = result[0][0]
        return heatmaps

    def close(self) -> None:
        """Release the network."""
        del self._request


def _choose(core: ov.Core, precision: Precision) -> str:
    """The precision of layers in floats, checked against the processor."""
    if precision in ("auto", "f32", "int8"):
        return "f32"
    if precision != "bf16":
        raise InputError(
            f"the engine 'openvino' has no precision {precision!r}: use f32, bf16 or int8."
        )
    # What OpenVINO would choose itself: bf16 only where the processor computes in it.
    native = core.get_property(_DEVICE, "INFERENCE_PRECISION_HINT")
    if native != ov.Type.bf16:
        raise InputError("this processor does not compute in bf16: use precision f32 or auto.")
    return "bf16"


def _compile(core: ov.Core, file: OnnxFile, settings: dict[str, Any]) -> ov.CompiledModel:
    size = file.info.input_size
    try:
        network = core.read_model(file.data)
        network.reshape({INPUT: [1, 3, size, size]})
        return core.compile_model(network, _DEVICE, settings)
    except RuntimeError as error:
        lines = str(error).strip().splitlines() or ["unknown error"]
        raise InputError(f"OpenVINO cannot load {file.path}: {lines[-1].strip()}") from error
