"""OpenVINO on the CPU: the fastest engine on x86 processors."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache
from typing import Any

import numpy as np
import openvino as ov
from numpy.typing import NDArray
from openvino.preprocess import PrePostProcessor

from model.errors import InputError
from model.heatmap import STRIDE
from tracker.engines.base import Maps, Precision, on_processor
from tracker.engines.onnx_checks import check_output, running
from tracker.engines.onnx_file import (
    ATTENTION,
    BOUNDARIES,
    INPUT,
    OUTPUT,
    OnnxFile,
    read_onnx,
)
from tracker.engines.thread_choice import fewest_threads
from tracker.system.cores import available_cores
from tracker.system.home_process import HomeProcess

_DEVICE = "CPU"
# Faces that run at the same time. More would leave cores idle with two faces.
_AT_ONCE = 2


class OpenVinoEngine:
    """A network in OpenVINO.

    One face has all threads to itself. Several go two by two, each on half of the threads, which
    then hardly wait for each other: four faces on two cores take 0.69 of the time that they take
    one after the other, and 0.72 of the processor's (192 px, alternating runs on a busy machine;
    one network of batch size 4: 0.94, a dynamic batch: 1.03). The heatmaps are the same to the bit.
    Two by two needs the network compiled once more. That begins in the background with the first
    second face and must not stop the video: until it is done faces go one by one.

    A single face has as many threads as it takes: one if the network answers soon enough with it,
    which is measured when it is loaded, else all.

    The compiled network reads pixels as they are in a picture; `normalize` is a part of it.

    bf16 is two to three times as fast where the processor has AMX, and just as accurate on average
    (dev NME 4.526 against 4.524 %), but it moves single points: by 0.06 px of a 128 px crop on
    average, by 0.4 px at the 99th percentile. It is a choice. int8 moves them as much (0.09 and
    0.35 px); which shipped files are taken by themselves is `tracker.engines.create`'s to say.

    Thread safety: see `tracker.engines.base.Engine`.

    Args:
        weights: a shipped name or the path of an .onnx file.
        threads: CPU threads; None for as few as keep up with a camera, and all for several faces.
        precision: "f32", "bf16" (needs a processor with AVX-512 BF16 or AMX), "int8" (a file of
            export.quantize) or "auto": f32, or int8 if that is what the file is in.
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
        _started().check()
        core = ov.Core()
        kind = _choose(core, precision)
        file = read_onnx(weights, precision, maps)
        self.maps = maps
        settings: dict[str, Any] = {
            # One answer soon, not many answers per second.
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_PRECISION_HINT": kind,
        }
        with running("OpenVINO", file.path):
            request, used = fewest_threads(
                lambda count: _compile(
                    core, file, {**settings, "INFERENCE_NUM_THREADS": count}
                ).create_infer_request(),
                ov.InferRequest.infer,
                threads,
            )
            size = file.info.input_size
            pixels = ov.Tensor(ov.Type.u8, ov.Shape([1, size, size, 3]))
            request.set_input_tensor(pixels)
            self._request: ov.InferRequest | None = request
            self._face = pixels.data
            self._heatmaps = request.get_output_tensor(0).data
        check_output(self._heatmaps.shape, file.info, file.path)
        self._pairs: _Pairs | None = None
        cores = available_cores() if threads is None else threads
        if cores > 1:
            settings |= {"PERFORMANCE_HINT": "THROUGHPUT", "NUM_STREAMS": _AT_ONCE}
            settings["INFERENCE_NUM_THREADS"] = cores
            self._pairs = _Pairs(lambda: _compile(core, file, settings))
        self._home = HomeProcess("this engine was made")
        self.info = file.info
        side = file.info.input_size // STRIDE
        markup = file.info.markup
        self._shape = (markup.points, side, side)
        self._curves = len(markup.curves)
        version = ".".join(ov.get_version().split("-")[0].split(".")[:2])
        self.description = on_processor(f"OpenVINO {version}", "int8" if file.int8 else kind, used)

    def __call__(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Run the network; see `tracker.engines.base.Engine`."""
        self._home.check()
        if self._request is None:
            raise RuntimeError("this engine was closed")
        heatmaps = np.empty((len(crops), *self._shape), dtype=np.float32)
        paired = 0
        if self._pairs is not None and len(crops) >= _AT_ONCE and self._pairs.ready():
            # The odd one out is faster with all threads.
            paired = len(crops) - len(crops) % _AT_ONCE
            self._pairs(crops[:paired], heatmaps[:paired])
        for target, face in zip(heatmaps[paired:], crops[paired:], strict=True):
            self._face[0] = face
            # `infer` would make a dictionary of its outputs each time: a tenth of a millisecond.
            self._request.start_async()
            self._request.wait()
            target[...] = self._heatmaps[0]
        return heatmaps

    def with_maps(self, crops: NDArray[np.uint8]) -> tuple[NDArray[np.float32], Maps]:
        """Run the network; see `tracker.engines.base.MapEngine`."""
        self._home.check()
        if self._request is None:
            raise RuntimeError("this engine was closed")
        count, side = len(crops), self._shape[1]
        made = {
            OUTPUT: np.empty((count, *self._shape), dtype=np.float32),
            BOUNDARIES: np.empty((count, self._curves, side, side), dtype=np.float32),
            ATTENTION: np.empty((count, side, side), dtype=np.float32),
        }
        for index, face in enumerate(crops):
            self._face[0] = face
            result = self._request.infer(share_outputs=True)
            for name, target in made.items():
                target[index] = result[name][0]
        return made[OUTPUT], Maps(made[BOUNDARIES], made[ATTENTION])

    def close(self) -> None:
        """Release the network; a second call does nothing, nor does one in another process."""
        if not self._home.is_here:
            return
        self._request = None
        if self._pairs is not None:
            self._pairs.close()
            self._pairs = None


@cache
def _started() -> HomeProcess:
    """Where the first engine was made: OpenVINO's threads are a process's, not an engine's."""
    return HomeProcess("OpenVINO was started")


class _Pairs:
    """The same network for two faces at a time.

    Args:
        compile_network: called in a thread of its own when several faces are first to be run.
    """

    def __init__(self, compile_network: Callable[[], ov.CompiledModel]) -> None:
        self._compile = compile_network
        self._executor = ThreadPoolExecutor(1, "openvino-compile")
        self._compiled: Future[ov.CompiledModel] | None = None
        self._queue: ov.AsyncInferQueue | None = None

    def ready(self) -> bool:
        """Whether it can be called; the first question begins the compilation."""
        if self._compiled is None:
            self._compiled = self._executor.submit(self._compile)
        return self._compiled.done()

    def __call__(self, crops: NDArray[np.uint8], heatmaps: NDArray[np.float32]) -> None:
        """Run faces once it is ready.

        Args:
            crops: [N, S, S, 3].
            heatmaps: [N, K, S/4, S/4], overwritten with the result.

        Raises:
            InputError: OpenVINO cannot compile the network in this form.
        """
        if self._queue is None:
            assert self._compiled is not None
            self._queue = ov.AsyncInferQueue(self._compiled.result(), _AT_ONCE)
            self._queue.set_callback(_keep)
        for face, target in zip(crops, heatmaps, strict=True):
            self._queue.start_async([face[None]], target, share_inputs=True)
        self._queue.wait_all()

    def close(self) -> None:
        """Release the network."""
        self._executor.shutdown()
        self._queue = self._compiled = None


def _keep(request: ov.InferRequest, target: NDArray[np.float32]) -> None:
    """Copy a finished request's heatmaps: the next face overwrites them."""
    target[...] = request.get_output_tensor(0).data[0]


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
        steps = PrePostProcessor(network)
        pixels = steps.input()
        pixels.tensor().set_element_type(ov.Type.u8).set_layout(ov.Layout("NHWC"))
        pixels.model().set_layout(ov.Layout("NCHW"))
        # `tracker.engines.base.normalize`.
        pixels.preprocess().convert_element_type(ov.Type.f32).mean(127.5).scale(127.5)
        return core.compile_model(steps.build(), _DEVICE, settings)
    # Its exceptions share no base class; a message that is no text raises UnicodeDecodeError.
    except Exception as error:
        lines = str(error).strip().splitlines() or ["unknown error"]
        raise InputError(f"OpenVINO cannot load {file.path}: {lines[-1].strip()}") from error
