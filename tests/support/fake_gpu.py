"""A GPU that is not there: pycuda's driver interface, the driver's graphs, and a TensorRT runtime.

Strict where the real ones are: nothing works without a current context, work on a stream is done
when the stream is waited for and not before, memory must be freed once, a stream that records does
nothing else. test_tensorrt_engine.py checks that the real bindings have everything that is here.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any
from weakref import WeakValueDictionary

import numpy as np
from numpy.typing import NDArray


class CudaError(Exception):
    """pycuda.driver.Error."""


class Gpu:
    """Counts what is alive.

    Attributes:
        alive: kinds of things made and not released.
        launches: graphs launched.
        plain: engine runs that were no graph.
        waits: times a stream was waited for.
        downloaded: bytes that copies to the host have asked for.
        memory: bytes that may still be allocated.
    """

    def __init__(self) -> None:
        self.alive: list[str] = []
        self.stack: list[object] = []
        self.streams: WeakValueDictionary[int, Stream] = WeakValueDictionary()
        self.launches = self.plain = self.waits = self.downloaded = 0
        self.memory = 1 << 40
        self.devices = 1
        self.refuse = ""

    def need_context(self) -> None:
        if not self.stack:
            raise CudaError("invalid device context")


class Stream:
    def __init__(self, gpu: Gpu) -> None:
        gpu.need_context()
        self._gpu = gpu
        self._todo: list[Callable[[], None]] = []
        self.recording: list[Callable[[], None]] | None = None
        self.handle = 1000 + len(gpu.alive)
        gpu.alive.append("stream")
        gpu.streams[self.handle] = self

    def __del__(self) -> None:
        self._gpu.alive.remove("stream")

    def do(self, work: Callable[[], None]) -> None:
        self._gpu.need_context()
        (self._todo if self.recording is None else self.recording).append(work)

    def synchronize(self) -> None:
        self._gpu.need_context()
        if self.recording is not None:
            raise CudaError("operation not permitted when stream is capturing")
        for work in self._todo:
            work()
        self._todo.clear()
        self._gpu.waits += 1

    @property
    def busy(self) -> bool:
        """Whether there is work that nobody has waited for."""
        return bool(self._todo)


class _Memory:
    """Device memory, and the base of a page-locked array."""

    def __init__(self, gpu: Gpu, kind: str, size: int) -> None:
        gpu.need_context()
        if size > gpu.memory:
            raise CudaError("cuMemAlloc failed: out of memory")
        gpu.memory -= size
        self._gpu, self._kind, self.size = gpu, kind, size
        self.bytes: NDArray[np.uint8] | None = np.full(size, 0xFF, dtype=np.uint8)  # NaNs
        gpu.alive.append(kind)

    def __int__(self) -> int:
        assert self.bytes is not None
        return int(self.bytes.ctypes.data)

    def free(self) -> None:
        self._gpu.need_context()
        assert self.bytes is not None, "freed twice"
        assert not any(s.busy for s in self._gpu.streams.values()), "freed while in use"
        self.bytes = None
        self._gpu.memory += self.size
        self._gpu.alive.remove(self._kind)


class _PageLocked(np.ndarray):
    """An array whose base is its allocation, as pycuda makes it."""

    owner: _Memory

    @property
    def base(self) -> _Memory:  # type: ignore[override]
        return self.owner


def fake_driver(gpu: Gpu) -> Any:
    """The module pycuda.driver."""

    class Context:
        def push(self) -> None:
            gpu.stack.append(self)

        def detach(self) -> None:
            """Called when Python ends."""

        @staticmethod
        def pop() -> None:
            gpu.stack.pop()

    class Device:
        def __init__(self, number: int) -> None:
            assert number < gpu.devices

        @staticmethod
        def count() -> int:
            return gpu.devices

        def name(self) -> str:
            return "NVIDIA Test 1"

        def compute_capability(self) -> tuple[int, int]:
            return 8, 9

        def retain_primary_context(self) -> Context:
            return Context()

    def init() -> None:
        if gpu.refuse == "init":
            raise CudaError("cuInit failed: no CUDA-capable device is detected")

    def pagelocked_empty(shape: tuple[int, ...], dtype: type) -> NDArray[Any]:
        owner = _Memory(gpu, "page-locked", int(np.prod(shape)) * np.dtype(dtype).itemsize)
        assert owner.bytes is not None
        array = owner.bytes.view(dtype).reshape(shape).view(_PageLocked)
        array.owner = owner
        return array

    def mem_alloc(size: int) -> _Memory:
        return _Memory(gpu, "device", size)

    def memcpy_htod_async(target: _Memory, source: NDArray[Any], stream: Stream) -> None:
        _copy(stream, int(target), source.ctypes.data, source.nbytes, target.size)

    def memcpy_dtoh_async(target: NDArray[Any], source: _Memory, stream: Stream) -> None:
        gpu.downloaded += target.nbytes
        _copy(stream, target.ctypes.data, int(source), target.nbytes, source.size)

    return SimpleNamespace(
        init=init,
        Error=CudaError,
        Device=Device,
        Context=Context,
        Stream=lambda: Stream(gpu),
        pagelocked_empty=pagelocked_empty,
        mem_alloc=mem_alloc,
        memcpy_htod_async=memcpy_htod_async,
        memcpy_dtoh_async=memcpy_dtoh_async,
    )


def _copy(stream: Stream, target: int, source: int, size: int, room: int) -> None:
    assert size <= room, "copied beyond the memory"
    stream.do(lambda: ctypes.memmove(target, source, size) and None)


def fake_library(gpu: Gpu) -> Any:
    """libcuda's functions for graphs, as ctypes calls them."""
    graphs: dict[int, list[Callable[[], None]]] = {}

    def refused(name: str) -> int:
        return 900 if gpu.refuse == name else 0

    def begin(stream: ctypes.c_void_p, mode: ctypes.c_int) -> int:
        assert mode.value == 1
        gpu.need_context()
        status = refused("cuStreamBeginCapture_v2")
        if not status:
            gpu.streams[stream.value or 0].recording = []
        return status

    def end(stream: ctypes.c_void_p, graph: Any) -> int:
        recorded = gpu.streams[stream.value or 0]
        assert recorded.recording is not None
        number = 1 + len(graphs)
        graphs[number], recorded.recording = recorded.recording, None
        graph._obj.value = number
        gpu.alive.append("graph")
        return 0

    def instantiate(runnable: Any, graph: ctypes.c_void_p, flags: ctypes.c_ulonglong) -> int:
        assert flags.value == 0
        status = refused("cuGraphInstantiateWithFlags")
        if not status:
            runnable._obj.value = graph.value
            gpu.alive.append("runnable")
        return status

    def destroy(graph: ctypes.c_void_p) -> int:
        gpu.alive.remove("graph")
        return 0

    def launch(runnable: ctypes.c_void_p, stream: ctypes.c_void_p) -> int:
        gpu.launches += 1
        for work in graphs[runnable.value or 0]:
            gpu.streams[stream.value or 0].do(work)
        return 0

    def destroy_runnable(runnable: ctypes.c_void_p) -> int:
        assert runnable.value in graphs
        gpu.alive.remove("runnable")
        return 0

    return SimpleNamespace(
        cuStreamBeginCapture_v2=begin,
        cuStreamEndCapture=end,
        cuGraphInstantiateWithFlags=instantiate,
        cuGraphDestroy=destroy,
        cuGraphLaunch=launch,
        cuGraphExecDestroy=destroy_runnable,
    )


# Computes an engine's outputs by name from its input, pixels [N, S, S, 3].
Compute = Callable[[NDArray[np.uint8]], dict[str, NDArray[np.float32]]]


def fake_tensorrt(
    gpu: Gpu, compute: Compute, size: int, points: int, maximum: int, *, rtx: bool
) -> Any:
    """The runtime part of the module `tensorrt`, or of `tensorrt_rtx`."""
    side = size // 4
    inputs: dict[str, tuple[int, ...]] = {"pixels": (size, size, 3)}
    outputs: dict[str, tuple[int, ...]] = {
        "heatmaps": (points, side, side),
        "points_centroid": (points, 2),
        "points_dark": (points, 2),
        "points_quarter": (points, 2),
        "peaks": (points,),
    }
    shapes = inputs | outputs

    class ILogger:
        Severity = SimpleNamespace(INTERNAL_ERROR=0, ERROR=1, WARNING=2, INFO=3, VERBOSE=4)

        def log(self, severity: int, message: str) -> None:
            raise NotImplementedError

    class _Alive:
        def __init__(self) -> None:
            gpu.need_context()
            gpu.alive.append(type(self).__name__)

        def __del__(self) -> None:
            gpu.alive.remove(type(self).__name__)

    class IRuntimeConfig:
        cuda_graph_strategy = "disabled"

    class IExecutionContext(_Alive):
        def __init__(self, engine: ICudaEngine) -> None:
            super().__init__()
            self._engine = engine
            self._addresses: dict[str, int] = {}
            self._shape: tuple[int, ...] = ()

        def set_tensor_address(self, name: str, memory: int) -> bool:
            self._addresses[name] = memory
            return name in shapes

        def set_input_shape(self, name: str, shape: tuple[int, ...]) -> bool:
            self._shape = shape
            return name in inputs and shape[1:] == inputs[name] and 1 <= shape[0] <= maximum

        def execute_async_v3(self, stream_handle: int) -> bool:
            stream = gpu.streams[stream_handle]
            if gpu.refuse == "execute":
                self._engine.logger.log(ILogger.Severity.ERROR, "kernel failed\nbadly.")
                return False
            gpu.plain += stream.recording is None
            count, addresses = self._shape[0], dict(self._addresses)

            def work() -> None:
                pixels = _view(addresses["pixels"], (count, *inputs["pixels"]), ctypes.c_uint8)
                results = compute(pixels)
                for name, shape in outputs.items():
                    _view(addresses[name], (count, *shape), ctypes.c_float)[:] = results[name]

            stream.do(work)
            return True

    class ICudaEngine(_Alive):
        num_io_tensors = len(shapes)

        def __init__(self, logger: Any) -> None:
            super().__init__()
            self.logger = logger

        def get_tensor_name(self, index: int) -> str:
            return list(shapes)[index]

        def get_tensor_shape(self, name: str) -> tuple[int, ...]:
            return (-1, *shapes[name])

        def get_tensor_dtype(self, name: str) -> str:
            return "uint8" if name in inputs else "float"

        def create_runtime_config(self) -> IRuntimeConfig:
            assert rtx
            return IRuntimeConfig()

        def create_execution_context(
            self, runtime_config: IRuntimeConfig | None = None
        ) -> IExecutionContext | None:
            assert (runtime_config is not None) == rtx
            assert not rtx or runtime_config.cuda_graph_strategy == "whole"  # type: ignore[union-attr]
            return None if gpu.refuse == "context" else IExecutionContext(self)

    class Runtime(_Alive):
        def __init__(self, logger: Any) -> None:
            super().__init__()
            self._logger = logger

        def deserialize_cuda_engine(self, serialized: bytes) -> ICudaEngine | None:
            if serialized != b"engine":
                self._logger.log(ILogger.Severity.INFO, "loading")
                self._logger.log(ILogger.Severity.ERROR, "magic tag does not match.")
                return None
            return ICudaEngine(self._logger)

    module = SimpleNamespace(
        ILogger=ILogger,
        Runtime=Runtime,
        ICudaEngine=ICudaEngine,
        IExecutionContext=IExecutionContext,
        DataType=SimpleNamespace(FLOAT="float", UINT8="uint8"),
    )
    if rtx:
        module.IRuntimeConfig = IRuntimeConfig
        module.CudaGraphStrategy = SimpleNamespace(WHOLE_GRAPH_CAPTURE="whole")
    return module


def _view(address: int, shape: tuple[int, ...], kind: Any) -> NDArray[Any]:
    count = int(np.prod(shape))
    return np.ctypeslib.as_array((kind * count).from_address(address)).reshape(shape)
