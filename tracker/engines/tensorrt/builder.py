"""An ONNX network to a serialised TensorRT engine: one path for TensorRT 10, 11 and RTX."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from model.errors import InputError
from tracker.engines.tensorrt.edition import Flavour

# Scratch memory the builder may try. The largest network's layers need a tenth; without a limit it
# takes all there is, also from a program that runs beside it.
_WORKSPACE = 2 << 30

# Called with the part of the build that was reached and how much of it is done, 0..1.
Report = Callable[[str, float], object]


@dataclass(frozen=True)
class Batch:
    """Numbers of crops an engine takes at once.

    Attributes:
        minimum: the fewest.
        optimum: the number it is tuned for.
        maximum: the most; larger batches are run in parts.
    """

    minimum: int = 1
    optimum: int = 1
    maximum: int = 8

    def __post_init__(self) -> None:
        if not 1 <= self.minimum <= self.optimum <= self.maximum:
            raise InputError(f"the batch {self} must be three numbers with 1 <= MIN <= OPT <= MAX.")

    def __str__(self) -> str:
        return f"{self.minimum},{self.optimum},{self.maximum}"

    @staticmethod
    def parse(text: str) -> Batch:
        """Read "MIN,OPT,MAX".

        Raises:
            InputError: not three such numbers.
        """
        parts = text.split(",")
        if len(parts) != 3 or not all(part.strip().isdecimal() for part in parts):
            raise InputError(f"the batch {text!r} must be three numbers MIN,OPT,MAX, as in 1,1,8.")
        return Batch(*(int(part) for part in parts))


@dataclass(frozen=True)
class Built:
    """What a build gives.

    Attributes:
        engine: the serialised engine.
        timing: timings of layers, which shorten the next build; empty where TensorRT keeps none.
    """

    engine: bytes
    timing: bytes


def build_engine(
    flavour: Flavour,
    network: bytes,
    batch: Batch,
    timing: bytes = b"",
    report: Report | None = None,
) -> Built:
    """Build an engine for this machine's GPU; with TensorRT for RTX also on one without.

    Args:
        flavour: the TensorRT to build with.
        network: an ONNX file's bytes. Its precisions are the engine's.
        batch: numbers of crops.
        timing: `Built.timing` of an earlier build with the same TensorRT on the same GPU.
        report: told how far it is.

    Returns:
        The engine and the timings.

    Raises:
        InputError: no GPU, no memory, or a network that TensorRT does not take.
        KeyboardInterrupt: the user stopped the build.
    """
    trt = flavour.module
    log = make_logger(trt)
    # Without a driver the constructor itself fails.
    try:
        builder = trt.Builder(log)
    except (RuntimeError, TypeError) as error:
        raise _failure(flavour, log, "finds no GPU that it can build for") from error
    graph = parse_network(flavour, builder, network, log)
    config = builder.create_builder_config()
    config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, _WORKSPACE)
    # TF32 has f16's precision; who asks for a 32-bit engine wants 32 bits.
    config.clear_flag(trt.BuilderFlag.TF32)
    # Lets the engine inspector tell every layer's precision.
    config.profiling_verbosity = trt.ProfilingVerbosity.DETAILED
    image = graph.get_input(0)
    shape = tuple(image.shape)[1:]
    profile = builder.create_optimization_profile()
    profile.set_shape(
        image.name, *((n, *shape) for n in (batch.minimum, batch.optimum, batch.maximum))
    )
    config.add_optimization_profile(profile)
    # TensorRT for RTX times nothing while building.
    if not flavour.portable:
        cache = config.create_timing_cache(timing)
        # Timings of another TensorRT or GPU are refused by a False; it then starts with none.
        if not config.set_timing_cache(cache, False):
            config.set_timing_cache(config.create_timing_cache(b""), False)
    monitor = make_monitor(trt, report or (lambda phase, done: None))
    config.progress_monitor = monitor
    engine = builder.build_serialized_network(graph, config)
    if monitor.stopped is not None:
        raise monitor.stopped
    if engine is None:
        raise _failure(flavour, log, "cannot build this network")
    known = b"" if flavour.portable else bytes(config.get_timing_cache().serialize())
    return Built(bytes(engine), known)


def parse_network(flavour: Flavour, builder: Any, network: bytes, log: Any) -> Any:
    """A strongly typed network definition from ONNX; see `build_engine`."""
    trt = flavour.module
    # The default in TensorRT 11, where the flag may go.
    flag = getattr(trt.NetworkDefinitionCreationFlag, "STRONGLY_TYPED", None)
    definition = builder.create_network(0 if flag is None else 1 << int(flag))
    parser = trt.OnnxParser(definition, log)
    if not parser.parse(network):
        reasons = "; ".join(parser.get_error(i).desc() for i in range(parser.num_errors))
        raise InputError(f"{flavour.title} does not take this network: {reasons}.")
    return definition


def make_logger(trt: Any) -> Any:
    """A TensorRT logger that keeps errors in its list `errors` and prints nothing."""

    class Logger(trt.ILogger):
        def __init__(self) -> None:
            # The bindings want their own constructor called, not super().
            trt.ILogger.__init__(self)
            self.errors: list[str] = []

        def log(self, severity: Any, message: str) -> None:
            if severity in (trt.ILogger.Severity.INTERNAL_ERROR, trt.ILogger.Severity.ERROR):
                self.errors.append(" ".join(message.split()))

    return Logger()


def make_monitor(trt: Any, report: Report) -> Any:
    """A progress monitor; `stopped` holds what was raised while it reported.

    TensorRT calls it from C++ code that exceptions must not pass through.
    """

    class Monitor(trt.IProgressMonitor):
        def __init__(self) -> None:
            trt.IProgressMonitor.__init__(self)
            self.stopped: BaseException | None = None
            self._steps: dict[str, int] = {}

        def phase_start(self, phase: str, parent: str | None, steps: int) -> None:
            self._steps[phase] = steps
            self._tell(phase, 0)

        def step_complete(self, phase: str, step: int) -> bool:
            self._tell(phase, (step + 1) / max(self._steps.get(phase, 1), 1))
            return self.stopped is None

        def phase_finish(self, phase: str) -> None:
            self._tell(phase, 1)

        def _tell(self, phase: str, done: float) -> None:
            try:
                report(phase, done)
            except BaseException as error:
                self.stopped = error

    return Monitor()


def _failure(flavour: Flavour, log: Any, what: str) -> InputError:
    reason = log.errors[-1] if log.errors else "it gives no reason"
    return InputError(f"{flavour.title} {what}: {reason.rstrip('.')}.")
