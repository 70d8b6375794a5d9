"""OpenVINO on the CPU: the fastest engine on x86 processors."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from typing import Any

import numpy as np
import openvino as ov
from numpy.typing import NDArray

from model.decoder import DEFAULT_DECODER, Decoder, decode
from model.errors import InputError
from model.heatmap import STRIDE
from tracker.engines.base import Maps, Points, Precision, on_processor
from tracker.engines.compiled_store import stored
from tracker.engines.decoder_graph import PEAKS, PIXELS, POINTS, with_decoder
from tracker.engines.onnx_checks import check_output, running
from tracker.engines.onnx_file import (
    ATTENTION,
    BOUNDARIES,
    OUTPUT,
    OnnxFile,
    read_onnx,
)
from tracker.engines.thread_choice import fewest_threads
from tracker.system.cores import available_cores
from tracker.system.home_process import HomeProcess

_DEVICE = "CPU"
# What `start` reads.
_DECODED = (POINTS[DEFAULT_DECODER], PEAKS)
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

    The compiled network reads pixels as they are in a picture and decodes its heatmaps by itself
    (`tracker.engines.decoder_graph`), but for bf16, whose whole numbers end at 256.

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
        keep: whether the compiled network is kept for the next start.

    Raises:
        InputError: unusable weights, or a precision this processor does not have.
    """

    def __init__(
        self,
        weights: str,
        threads: int | None = None,
        precision: Precision = "auto",
        maps: bool = False,
        *,
        keep: bool = True,
    ) -> None:
        _started().check()
        core = _core()
        kind = _choose(core, precision)
        file = read_onnx(weights, precision, maps)
        self.maps = maps
        settings: dict[str, Any] = {
            # One answer soon, not many answers per second.
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_PRECISION_HINT": kind,
        }
        self._decodes = kind != "bf16" and not maps
        with running("OpenVINO", file.path):
            network = _with_decoder(file, (DEFAULT_DECODER,) if self._decodes else ())
            request, used = fewest_threads(
                lambda count: _compile(
                    core, network, file, {**settings, "INFERENCE_NUM_THREADS": count}, keep
                ).create_infer_request(),
                ov.InferRequest.infer,
                threads,
            )
            size = file.info.input_size
            pixels = ov.Tensor(ov.Type.u8, ov.Shape([1, size, size, 3]))
            request.set_input_tensor(pixels)
            self._request: ov.InferRequest | None = request
            self._face = pixels.data
            names = (OUTPUT, *_DECODED) if self._decodes else (OUTPUT,)
            self._outputs = {name: request.get_tensor(name).data for name in names}
        check_output(self._outputs[OUTPUT].shape, file.info, file.path)
        self._pairs: _Pairs | None = None
        cores = available_cores() if threads is None else threads
        if cores > 1:
            settings |= {"PERFORMANCE_HINT": "THROUGHPUT", "NUM_STREAMS": _AT_ONCE}
            settings["INFERENCE_NUM_THREADS"] = cores
            self._pairs = _Pairs(lambda: _compile(core, network, file, settings, keep))
        self._home = HomeProcess("this engine was made")
        self.info = file.info
        self._side = file.info.input_size // STRIDE
        self._curves = len(file.info.markup.curves)
        version = ".".join(ov.get_version().split("-")[0].split(".")[:2])
        self.description = on_processor(f"OpenVINO {version}", "int8" if file.int8 else kind, used)

    def __call__(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Run the network; see `tracker.engines.base.Engine`."""
        return self._run(crops, (OUTPUT,))[OUTPUT]

    def start(self, crops: NDArray[np.uint8], decoder: Decoder) -> Callable[[], Points]:
        """Run the network and its decoder; see `tracker.engines.base.PointEngine`.

        On a processor there is nothing that could go on meanwhile: all is done when the points are
        asked for. Heatmaps stay where the network has written them.
        """

        def finish() -> Points:
            if not self._decodes or decoder != DEFAULT_DECODER:
                return decode(self(crops), decoder)
            found = self._run(crops, _DECODED)
            return found[POINTS[decoder]].astype(np.float64), found[PEAKS]

        return finish

    def _run(
        self, crops: NDArray[np.uint8], names: tuple[str, ...]
    ) -> dict[str, NDArray[np.float32]]:
        """Some outputs of every crop."""
        self._home.check()
        if self._request is None:
            raise RuntimeError("this engine was closed")
        results = {
            name: np.empty((len(crops), *self._outputs[name].shape[1:]), dtype=np.float32)
            for name in names
        }
        paired = 0
        if self._pairs is not None and len(crops) >= _AT_ONCE and self._pairs.ready():
            # The odd one out is faster with all threads.
            paired = len(crops) - len(crops) % _AT_ONCE
            self._pairs(crops[:paired], results)
        for index in range(paired, len(crops)):
            self._face[0] = crops[index]
            # In this thread: to wake another one and wait for it takes 0.2 to 0.4 ms.
            self._request.infer(share_inputs=True, share_outputs=True)
            for name, result in results.items():
                result[index] = self._outputs[name][0]
        return results

    def with_maps(self, crops: NDArray[np.uint8]) -> tuple[NDArray[np.float32], Maps]:
        """Run the network; see `tracker.engines.base.MapEngine`."""
        self._home.check()
        if self._request is None:
            raise RuntimeError("this engine was closed")
        count, side = len(crops), self._side
        made = {
            OUTPUT: np.empty((count, *self._outputs[OUTPUT].shape[1:]), dtype=np.float32),
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
def _core() -> ov.Core:
    """The process's one, which never ends.

    Its CPU plugin gives the thread that it begins in a stack for signal handlers, and frees that
    stack at its end. If that comes in another thread (a tracker closed by a server's), the first
    one is left with the address: the next signal that Python handles there, Ctrl-C for example,
    was a crash without a word.
    """
    return ov.Core()


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

    def __call__(self, crops: NDArray[np.uint8], results: dict[str, NDArray[np.float32]]) -> None:
        """Run faces once it is ready.

        Args:
            crops: [N, S, S, 3].
            results: name of an output -> [N or more, ...], the first N overwritten with it.

        Raises:
            InputError: OpenVINO cannot compile the network in this form.
        """
        if self._queue is None:
            assert self._compiled is not None
            self._queue = ov.AsyncInferQueue(self._compiled.result(), _AT_ONCE)
            self._queue.set_callback(_keep)
        for index, face in enumerate(crops):
            targets = {name: result[index] for name, result in results.items()}
            self._queue.start_async([face[None]], targets, share_inputs=True)
        self._queue.wait_all()

    def close(self) -> None:
        """Release the network."""
        self._executor.shutdown()
        self._queue = self._compiled = None


def _keep(request: ov.InferRequest, targets: dict[str, NDArray[np.float32]]) -> None:
    """Copy a finished request's outputs: the next face overwrites them."""
    for name, target in targets.items():
        target[...] = request.get_tensor(name).data[0]


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


@contextmanager
def _loading(file: OnnxFile) -> Iterator[None]:
    """What goes wrong before a network runs, as one sentence."""
    try:
        yield
    # OpenVINO's exceptions share no base class; a message that is no text raises
    # UnicodeDecodeError.
    except Exception as error:
        lines = str(error).strip().splitlines() or ["unknown error"]
        raise InputError(f"OpenVINO cannot load {file.path}: {lines[-1].strip()}") from error


def _with_decoder(file: OnnxFile, decoders: tuple[Decoder, ...]) -> bytes:
    """The network from bytes to heatmaps, and to the points of some decoders."""
    import onnx  # noqa: PLC0415  (as in `read_onnx`)

    with _loading(file):
        model = with_decoder(onnx.load_model_from_string(file.data), decoders)
        return model.SerializeToString()


def _compile(
    core: ov.Core, data: bytes, file: OnnxFile, settings: dict[str, Any], keep: bool
) -> ov.CompiledModel:
    """The network for one face at a time; if it is kept, from the cache after the first time."""
    size = file.info.input_size

    def compile_network() -> ov.CompiledModel:
        network = core.read_model(data)
        network.reshape({PIXELS: [1, size, size, 3]})
        return core.compile_model(network, _DEVICE, settings)

    with _loading(file):
        if not keep:
            return compile_network()
        return stored(core, _DEVICE, settings, b"%d %b" % (size, data), compile_network)
