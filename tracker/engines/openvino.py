"""OpenVINO on the CPU: the fastest engine on x86 processors."""

from __future__ import annotations

from typing import Any

import numpy as np
import openvino as ov
from numpy.typing import NDArray

from model.errors import InputError
from model.heatmap import STRIDE
from model.markup import MARKUPS
from tracker.engines.base import Maps, Precision, normalize
from tracker.engines.onnx_file import (
    ATTENTION,
    BOUNDARIES,
    INPUT,
    OUTPUT,
    OnnxFile,
    read_onnx,
)

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
    "auto" is f32, and bf16 is a choice.

    Thread safety: see `tracker.engines.base.Engine`.

    Args:
        weights: a shipped name or the path of an .onnx file.
        threads: CPU threads, None for all cores.
        precision: "f32", "bf16" (needs a processor with AVX-512 BF16 or AMX) or "auto": f32.
        maps: whether `with_maps` will be called.

    Raises:
        InputError: unusable weights, or a precision this processor does not have.
    """

    def __init__(
        self,
        weights: str,
        threads: int | None = None,
        precision: Precision = "auto",
        maps: bool = False,
    ) -> None:
        file = read_onnx(weights, maps)
        self.maps = maps
        core = ov.Core()
        kind = _choose(core, precision)
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
        markup = MARKUPS[file.info.markup]
        self._shape = (markup.points, side, side)
        self._curves = len(markup.curves)
        version = ".".join(ov.get_version().split("-")[0].split(".")[:2])
        self.description = f"OpenVINO {version}, CPU, {kind}"

    def __call__(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Run the network; see `tracker.engines.base.Engine`."""
        heatmaps = np.empty((len(crops), *self._shape), dtype=np.float32)
        for target, planes in zip(heatmaps, normalize(crops), strict=True):
            result = self._request.infer([planes[None]], share_inputs=True, share_outputs=True)
            target[...] = result[0][0]
        return heatmaps

    def with_maps(self, crops: NDArray[np.uint8]) -> tuple[NDArray[np.float32], Maps]:
        """Run the network; see `tracker.engines.base.MapEngine`."""
        count, side = len(crops), self._shape[1]
        made = {
            OUTPUT: np.empty((count, *self._shape), dtype=np.float32),
            BOUNDARIES: np.empty((count, self._curves, side, side), dtype=np.float32),
            ATTENTION: np.empty((count, side, side), dtype=np.float32),
        }
        for index, planes in enumerate(normalize(crops)):
            result = self._request.infer([planes[None]], share_inputs=True, share_outputs=True)
            for name, target in made.items():
                target[index] = result[name][0]
        return made[OUTPUT], Maps(made[BOUNDARIES], made[ATTENTION])

    def close(self) -> None:
        """Release the network."""
        del self._request


def _choose(core: ov.Core, precision: Precision) -> str:
    """The precision to run at, checked against the processor."""
    if precision in ("auto", "f32"):
        return "f32"
    if precision != "bf16":
        raise InputError(f"the engine 'openvino' has no precision {precision!r}: use f32 or bf16.")
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
