"""A TensorRT engine on the GPU: its memory, its stream, its execution contexts."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.errors import InputError
from model.heatmap import STRIDE
from model.markup import MARKUPS
from tracker.engines.onnx_file import INPUT, OUTPUT
from tracker.tensorrt.builder import make_logger
from tracker.tensorrt.cuda import Context
from tracker.tensorrt.flavour import Flavour
from tracker.tensorrt.graph import CudaGraph
from tracker.tensorrt.record import EngineRecord


class Runner:
    """Runs batches of one size range on the GPU; `close` releases everything.

    Attributes:
        graphed: whether batches of the size the engine is tuned for run as a CUDA graph.

    Args:
        flavour: the TensorRT the engine was built with.
        engine: the serialised engine.
        record: what it is.

    Raises:
        InputError: no GPU, no memory, or TensorRT does not take the engine.
    """

    def __init__(self, flavour: Flavour, engine: bytes, record: EngineRecord) -> None:
        self._minimum, self._optimum, self._maximum = record.batch
        self._flavour = flavour
        self._log = make_logger(flavour.module)
        self._context = Context()
        self._graph: CudaGraph | None = None
        # TensorRT for RTX records graphs itself, once its kernels are compiled.
        self.graphed = not flavour.portable
        size, side = record.info.input_size, record.info.input_size // STRIDE
        points = MARKUPS[record.info.markup].points
        with self._context.active(), ExitStack() as resources:
            # Released in the reverse order, also if one of the next lines fails.
            self._stream = self._context.cuda.Stream()
            resources.callback(self._drop, "_stream")
            self._input = self._context.buffer((self._maximum, 3, size, size))
            resources.callback(self._input.free)
            self._output = self._context.buffer((self._maximum, points, side, side))
            resources.callback(self._output.free)
            self._runtime = flavour.module.Runtime(self._log)
            resources.callback(self._drop, "_runtime")
            self._engine = self._made(self._runtime.deserialize_cuda_engine(engine))
            resources.callback(self._drop, "_engine")
            self._check_tensors(self._input.host.shape, self._output.host.shape)
            # A context keeps the last batch size; the recorded one never changes it.
            self._tuned = self._execution()
            resources.callback(self._drop, "_tuned")
            self._other = self._execution() if self._maximum > self._minimum else self._tuned
            resources.callback(self._drop, "_other")
            resources.callback(self._free_graph)
            self._resources = resources.pop_all()

    def __call__(self, planes: NDArray[np.float32], heatmaps: NDArray[np.float32]) -> None:
        """Run any number of crops.

        Args:
            planes: [N, 3, S, S], normalised.
            heatmaps: [N, K, S/4, S/4], filled.

        Raises:
            InputError: the GPU fails.
        """
        with self._context.active():
            for start in range(0, len(planes), self._maximum):
                part = planes[start : start + self._maximum]
                self._input.host[: len(part)] = part
                # Rows beyond the part are what was there before; their results are not read.
                self._run(max(len(part), self._minimum))
                heatmaps[start : start + len(part)] = self._output.host[: len(part)]

    def close(self) -> None:
        """Release everything on the GPU."""
        with self._context.active():
            self._resources.close()

    def _run(self, count: int) -> None:
        """Copy `count` rows there, run the network, copy the results back, and wait for them."""
        try:
            if count == self._optimum and self._graph is not None:
                self._graph.launch()
                self._stream.synchronize()
                return
            execution = self._tuned if count == self._optimum else self._other
            self._check(execution.set_input_shape(INPUT, (count, *self._input.host.shape[1:])))
            self._enqueue(execution, count)
            self._stream.synchronize()
            if count == self._optimum and self.graphed:
                # TensorRT sets things up in the first run, which no recording allows.
                self._graph = CudaGraph(
                    self._stream.handle, lambda: self._enqueue(self._tuned, count)
                )
        except self._context.cuda.Error as error:
            raise InputError(
                f"the GPU fails: {error}; start again, or use another engine."
            ) from error

    def _enqueue(self, execution: Any, count: int) -> None:
        self._input.upload(count, self._stream)
        self._check(execution.execute_async_v3(self._stream.handle))
        self._output.download(count, self._stream)

    def _execution(self) -> Any:
        """An execution context that reads and writes the buffers."""
        if self._flavour.portable:
            config = self._engine.create_runtime_config()
            config.cuda_graph_strategy = self._flavour.module.CudaGraphStrategy.WHOLE_GRAPH_CAPTURE
            context = self._made(self._engine.create_execution_context(config))
        else:
            context = self._made(self._engine.create_execution_context())
        self._check(context.set_tensor_address(INPUT, self._input.address))
        self._check(context.set_tensor_address(OUTPUT, self._output.address))
        return context

    def _check_tensors(self, read: tuple[int, ...], written: tuple[int, ...]) -> None:
        """Compare the engine's inputs and outputs with what the record promises."""
        names = [self._engine.get_tensor_name(i) for i in range(self._engine.num_io_tensors)]
        shapes = {name: tuple(self._engine.get_tensor_shape(name))[1:] for name in names}
        kinds = {self._engine.get_tensor_dtype(name) for name in names}
        float32 = self._flavour.module.DataType.FLOAT
        if shapes != {INPUT: read[1:], OUTPUT: written[1:]} or kinds != {float32}:
            raise InputError(
                f"this engine has the tensors {shapes}, its record another network: build it again."
            )

    def _made(self, thing: Any) -> Any:
        if thing is None:
            raise self._failure("does not take this engine")
        return thing

    def _check(self, done: bool) -> None:
        if not done:
            raise self._failure("fails")

    def _failure(self, what: str) -> InputError:
        reason = self._log.errors[-1] if self._log.errors else "it gives no reason"
        return InputError(f"{self._flavour.title} {what}: {reason.rstrip('.')}.")

    def _drop(self, name: str) -> None:
        """Let go of an object that releases its memory when nothing points to it."""
        setattr(self, name, None)

    def _free_graph(self) -> None:
        if self._graph is not None:
            self._graph.free()
            self._graph = None
