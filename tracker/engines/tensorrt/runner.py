"""A TensorRT engine on the GPU: its memory, its stream, its execution contexts."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack, suppress
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.errors import InputError
from model.heatmap import STRIDE
from tracker.engines.decoder_graph import PEAKS, PIXELS, POINTS
from tracker.engines.onnx_file import OUTPUT
from tracker.engines.tensorrt.builder import make_logger
from tracker.engines.tensorrt.cuda import Buffer, Context
from tracker.engines.tensorrt.cuda_graph import CudaGraph
from tracker.engines.tensorrt.edition import Flavour
from tracker.engines.tensorrt.engine_record import EngineRecord

# Names of outputs: what a batch is run for, and all that is copied back.
Wanted = tuple[str, ...]
Results = dict[str, NDArray[np.float32]]


class Runner:
    """Runs batches of one size range on the GPU; `close` releases everything.

    One batch is on its way at a time.

    Attributes:
        graphed: whether batches of the size the engine is tuned for run as a CUDA graph.

    Args:
        flavour: the TensorRT the engine was built with.
        engine: the serialised engine.
        record: what it is.
        graphs: False launches every kernel one by one, to see what graphs win.

    Raises:
        InputError: no GPU, no memory, or TensorRT does not take the engine.
    """

    def __init__(
        self, flavour: Flavour, engine: bytes, record: EngineRecord, graphs: bool = True
    ) -> None:
        self._minimum, self._optimum, self._maximum = record.batch
        self._flavour = flavour
        self._log = make_logger(flavour.module)
        self._context = Context()
        self._graphs: dict[Wanted, CudaGraph] = {}
        # Of the batch on its way; None when its results were taken.
        self._ticket: object | None = None
        # TensorRT for RTX records graphs itself, once its kernels are compiled.
        self.graphed = graphs and not flavour.portable
        size, side = record.info.input_size, record.info.input_size // STRIDE
        points = record.info.markup.points
        outputs = {
            OUTPUT: (points, side, side),
            **dict.fromkeys(POINTS.values(), (points, 2)),
            PEAKS: (points,),
        }
        with self._context.active(), ExitStack() as resources:
            # Released in the reverse order, also if one of the next lines fails.
            self._stream = self._context.cuda.Stream()
            resources.callback(self._drop, "_stream")
            self._input = self._context.buffer((self._maximum, size, size, 3), np.uint8)
            resources.callback(self._input.free)
            self._outputs: dict[str, Buffer] = {}
            for name, shape in outputs.items():
                self._outputs[name] = self._context.buffer((self._maximum, *shape), np.float32)
                resources.callback(self._outputs[name].free)
            self._runtime = flavour.module.Runtime(self._log)
            resources.callback(self._drop, "_runtime")
            self._engine = self._made(self._runtime.deserialize_cuda_engine(engine))
            resources.callback(self._drop, "_engine")
            self._check_tensors()
            # A context keeps the last batch size; the recorded one never changes it.
            self._tuned = self._execution()
            resources.callback(self._drop, "_tuned")
            self._other = self._execution() if self._maximum > self._minimum else self._tuned
            resources.callback(self._drop, "_other")
            resources.callback(self._free_graphs)
            self._resources = resources.pop_all()

    def start(self, pixels: NDArray[np.uint8], wanted: Wanted) -> Callable[[], Results]:
        """Put any number of crops on their way, and return before they are done.

        Of more crops than the engine takes at once, all but the last part are waited for. Results
        of an earlier batch that were not taken are lost.

        Args:
            pixels: [N, S, S, 3], RGB; may be overwritten when this returns.
            wanted: names of the outputs that are needed.

        Returns:
            Waits and gives the outputs by name, arrays of the caller. To be called once, and
            before the next batch.

        Raises:
            InputError: the GPU fails; it may say so when the results are fetched.
        """
        results = {
            name: np.empty((len(pixels), *self._outputs[name].shape[1:]), np.float32)
            for name in wanted
        }
        ticket = self._ticket = object()
        last = max(len(pixels) - 1, 0) // self._maximum * self._maximum
        with self._context.active():
            # Nothing may still read or write the buffers.
            self._wait()
            for begin in range(0, last, self._maximum):
                self._launch(pixels[begin : begin + self._maximum], wanted)
                self._collect(results, begin, self._maximum)
            if len(pixels):
                self._launch(pixels[last:], wanted)

        def finish() -> Results:
            if self._ticket is not ticket:
                raise RuntimeError("these results were taken, or a later batch has begun")
            self._ticket = None
            if len(pixels):
                with self._context.active():
                    self._collect(results, last, len(pixels) - last)
            return results

        return finish

    def close(self) -> None:
        """Release everything on the GPU, when it is done with a batch on its way."""
        self._ticket = None
        with self._context.active():
            # Should the GPU have failed, what it holds is released all the same.
            with suppress(InputError):
                self._wait()
            self._resources.close()

    def _launch(self, part: NDArray[np.uint8], wanted: Wanted) -> None:
        """Copy crops there, run the network, copy the results back, all on the stream."""
        self._input.host[: len(part)] = part
        # Rows beyond the part are what was there before; their results are not read.
        count = max(len(part), self._minimum)
        if count == self._optimum and wanted in self._graphs:
            self._guard(self._graphs[wanted].launch)
            return
        execution = self._tuned if count == self._optimum else self._other
        shape = (count, *self._input.shape[1:])
        self._check(execution.set_input_shape(PIXELS, shape))
        self._guard(lambda: self._enqueue(execution, count, wanted))

    def _collect(self, results: Results, begin: int, count: int) -> None:
        """Wait for a part and take its results."""
        self._wait()
        for name, values in results.items():
            values[begin : begin + count] = self._outputs[name].host[:count]
        wanted = tuple(results)
        if self.graphed and wanted not in self._graphs:
            if max(count, self._minimum) != self._optimum:
                return
            # TensorRT sets things up in the first run, which no recording allows.
            self._guard(lambda: self._record(wanted))

    def _record(self, wanted: Wanted) -> None:
        self._graphs[wanted] = CudaGraph(
            self._stream.handle, lambda: self._enqueue(self._tuned, self._optimum, wanted)
        )

    def _enqueue(self, execution: Any, count: int, wanted: Wanted) -> None:
        self._input.upload(count, self._stream)
        self._check(execution.execute_async_v3(self._stream.handle))
        for name in wanted:
            self._outputs[name].download(count, self._stream)

    def _wait(self) -> None:
        self._guard(self._stream.synchronize)

    def _guard(self, work: Callable[[], object]) -> None:
        """Do something on the GPU; its errors become a sentence."""
        try:
            work()
        except self._context.cuda.Error as error:
            raise InputError(
                f"the GPU fails: {error}; start again, or use another engine."
            ) from error

    def _execution(self) -> Any:
        """An execution context that reads and writes the buffers."""
        if self._flavour.portable:
            config = self._engine.create_runtime_config()
            config.cuda_graph_strategy = self._flavour.module.CudaGraphStrategy.WHOLE_GRAPH_CAPTURE
            context = self._made(self._engine.create_execution_context(config))
        else:
            context = self._made(self._engine.create_execution_context())
        for name, buffer in {PIXELS: self._input, **self._outputs}.items():
            self._check(context.set_tensor_address(name, buffer.address))
        return context

    def _check_tensors(self) -> None:
        """Compare the engine's inputs and outputs with what the record promises."""
        names = [self._engine.get_tensor_name(i) for i in range(self._engine.num_io_tensors)]
        shapes = {name: tuple(self._engine.get_tensor_shape(name))[1:] for name in names}
        kinds = {name: self._engine.get_tensor_dtype(name) for name in names}
        types = self._flavour.module.DataType
        buffers = {PIXELS: self._input, **self._outputs}
        promised = dict.fromkeys(self._outputs, types.FLOAT) | {PIXELS: types.UINT8}
        if shapes != {name: b.shape[1:] for name, b in buffers.items()} or kinds != promised:
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

    def _free_graphs(self) -> None:
        while self._graphs:
            self._graphs.popitem()[1].free()
