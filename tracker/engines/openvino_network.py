"""A network that OpenVINO has compiled, for one face and for several at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from typing import Any

import numpy as np
import openvino as ov
from numpy.typing import NDArray

from model.decoder import Decoder
from model.errors import InputError
from tracker.engines.compiled_store import stored
from tracker.engines.decoder_graph import PIXELS, with_decoder
from tracker.engines.onnx_checks import check_output, running
from tracker.engines.onnx_file import OUTPUT, OnnxFile
from tracker.engines.thread_choice import fewest_threads
from tracker.system.cores import available_cores

DEVICE = "CPU"
# Faces that run at the same time. More would leave cores idle with two faces.
_AT_ONCE = 2


class OpenVinoNetwork:
    """A network from pixels to points, or to maps.

    One face has all threads to itself. Several go two by two, each on half of the threads, which
    then hardly wait for each other: four faces on two cores take 0.69 of the time that they take
    one after the other, and 0.72 of the processor's (192 px, alternating runs on a busy machine;
    one network of batch size 4: 0.94, a dynamic batch: 1.03). The maps are the same to the bit.
    Two by two needs the network compiled once more. That begins in the background with the first
    second face and must not stop the video: until it is done faces go one by one.

    A single face has as many threads as it takes: one if the network answers soon enough with it,
    which is measured when it is loaded, else all.

    Attributes:
        threads: of a single face.

    Args:
        file: the network.
        decoders: those whose points it gives, and the peaks; without any it gives the file's maps.
            Both would cost a frame a copy of the maps.
        kind: precision of layers in floats, as OpenVINO calls it.
        threads: CPU threads; None for as few as keep up with a camera, and all for several faces.
        keep: whether the compiled network is kept for the next start.

    Raises:
        InputError: OpenVINO cannot run it, or it is not what its metadata say.
    """

    def __init__(
        self,
        file: OnnxFile,
        decoders: tuple[Decoder, ...],
        kind: str,
        threads: int | None,
        keep: bool,
    ) -> None:
        data = _with_decoder(file, decoders)
        settings: dict[str, Any] = {
            # One answer soon, not many answers per second.
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_PRECISION_HINT": kind,
        }
        with running("OpenVINO", file.path):
            request, self.threads = fewest_threads(
                lambda count: _compile(
                    data, file, {**settings, "INFERENCE_NUM_THREADS": count}, keep
                ).create_infer_request(),
                ov.InferRequest.infer,
                threads,
            )
            size = file.info.input_size
            pixels = ov.Tensor(ov.Type.u8, ov.Shape([1, size, size, 3]))
            request.set_input_tensor(pixels)
            self._request = request
            self._face = pixels.data
            self._outputs: dict[str, NDArray[np.float32]] = {
                port.any_name: request.get_tensor(port).data for port in request.model_outputs
            }
        self._pairs: _Pairs | None = None
        cores = available_cores() if threads is None else threads
        if cores > 1:
            settings |= {"PERFORMANCE_HINT": "THROUGHPUT", "NUM_STREAMS": _AT_ONCE}
            settings["INFERENCE_NUM_THREADS"] = cores
            self._pairs = _Pairs(lambda: _compile(data, file, settings, keep))

    def __call__(self, crops: NDArray[np.uint8]) -> dict[str, NDArray[np.float32]]:
        """Run it.

        Args:
            crops: [N, S, S, 3], RGB, any N >= 0.

        Returns:
            Name of an output -> [N, ...]; the arrays belong to the caller.
        """
        results = {
            name: np.empty((len(crops), *found.shape[1:]), dtype=np.float32)
            for name, found in self._outputs.items()
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

    def close(self) -> None:
        """End its threads."""
        if self._pairs is not None:
            self._pairs.close()


@cache
def core() -> ov.Core:
    """The process's one, which never ends.

    Its CPU plugin gives the thread that it begins in a stack for signal handlers, and frees that
    stack at its end. If that comes in another thread (a tracker closed by a server's), the first
    one is left with the address: the next signal that Python handles there, Ctrl-C for example,
    was a crash without a word.
    """
    return ov.Core()


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


@contextmanager
def _loading(file: OnnxFile) -> Iterator[None]:
    """What goes wrong before a network runs, as one sentence."""
    try:
        yield
    except InputError:
        raise
    # OpenVINO's exceptions share no base class; a message that is no text raises
    # UnicodeDecodeError.
    except Exception as error:
        lines = str(error).strip().splitlines() or ["unknown error"]
        raise InputError(f"OpenVINO cannot load {file.path}: {lines[-1].strip()}") from error


def _with_decoder(file: OnnxFile, decoders: tuple[Decoder, ...]) -> bytes:
    """The network from bytes to the points of some decoders, or to maps."""
    import onnx  # noqa: PLC0415  (as in `read_onnx`)

    with _loading(file):
        model = onnx.load_model_from_string(file.data)
        decoded = with_decoder(model, decoders, heatmaps=not decoders, channels_last=True)
        return decoded.SerializeToString()


def _compile(data: bytes, file: OnnxFile, settings: dict[str, Any], keep: bool) -> ov.CompiledModel:
    """The network for one face at a time; if it is kept, from the cache after the first time."""
    size = file.info.input_size

    def compile_network() -> ov.CompiledModel:
        network = core().read_model(data)
        network.reshape({PIXELS: [1, size, size, 3]})
        # Before it runs: its decoder reads where the metadata say that there are maps.
        ports = (port for part in network.get_ops() for port in part.outputs())
        found = next(port.shape for port in ports if OUTPUT in port.names)
        check_output(found, file.info, file.path)
        return core().compile_model(network, DEVICE, settings)

    with _loading(file):
        if not keep:
            return compile_network()
        return stored(core(), DEVICE, settings, b"%d %b" % (size, data), compile_network)
