"""Engines by what they are made of: built once, found again, rebuilt when they no longer fit."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from time import perf_counter
from typing import Literal

import numpy as np
import onnx
from numpy.typing import NDArray

from model.errors import InputError
from model.files import replacing
from model.output_lock import claimed
from tracker.engines.base import BuildWatcher
from tracker.engines.cache_folder import cache_folder
from tracker.engines.decoder_graph import with_decoder
from tracker.engines.onnx_file import OnnxFile
from tracker.engines.tensorrt.builder import Batch, Report, build_engine
from tracker.engines.tensorrt.cuda import Gpu, find_gpu
from tracker.engines.tensorrt.edition import Flavour
from tracker.engines.tensorrt.engine_record import (
    ANY_GPU,
    EngineRecord,
    foreign,
    read_engine,
    write_engine,
)
from tracker.engines.tensorrt.half_precision import measure_peaks, overflowing, to_half

EnginePrecision = Literal["f16", "f32"]
# Makes crops [N, S, S, 3] of side S on which overflows are looked for.
Crops = Callable[[int], NDArray[np.uint8]]


@dataclass(frozen=True)
class EnginePlan:
    """What an engine is made of.

    Attributes:
        source: the network.
        flavour: the TensorRT.
        precision: of the layers.
        batch: crops at once.
    """

    source: OnnxFile
    flavour: Flavour
    precision: EnginePrecision = "f16"
    batch: Batch = field(default_factory=Batch)

    def record(self) -> EngineRecord:
        """The record of such an engine, without what only its build tells.

        Raises:
            InputError: there is no GPU, and this TensorRT builds for the one that is there.
        """
        return EngineRecord(
            info=self.source.info,
            onnx_sha256=hashlib.sha256(self.source.data).hexdigest(),
            flavour=self.flavour.name,
            version=self.flavour.version,
            gpu=ANY_GPU if self.flavour.portable else find_gpu(),
            precision=self.precision,
            batch=(self.batch.minimum, self.batch.optimum, self.batch.maximum),
            f32_layers=(),
            build_seconds=0.0,
            engine_sha256="",
        )


@dataclass(frozen=True)
class Prepared:
    """A network in an engine's precision.

    Attributes:
        model: from normalised planes to heatmaps; TensorRT gets it `with_decoder`.
        f32_layers: layers of an f16 network that had to stay in 32 bits.
    """

    model: onnx.ModelProto
    f32_layers: tuple[str, ...] = ()


def prepare(plan: EnginePlan, crops: Crops) -> Prepared:
    """Bring a network to the precision of its plan.

    Args:
        plan: what will be built.
        crops: makes the crops on which overflows are looked for.
    """
    model = onnx.load_model_from_string(plan.source.data)
    if plan.precision == "f32":
        return Prepared(model)
    keep = overflowing(model, measure_peaks(model, crops(plan.source.info.input_size)))
    return Prepared(to_half(model, keep), keep)


def make_engine(
    path: Path, plan: EnginePlan, prepared: Prepared, report: Report | None = None
) -> EngineRecord:
    """Build an engine and write it with its record.

    Args:
        path: the .engine file; replaced.
        plan: what to build.
        prepared: its network.
        report: told how far the build is.

    Returns:
        The record.

    Raises:
        InputError: no GPU, a network that TensorRT does not take, a full disk.
    """
    record = plan.record()
    timing_file = _timing_path(record)
    timing = timing_file.read_bytes() if timing_file.is_file() else b""
    start = perf_counter()
    network = with_decoder(prepared.model).SerializeToString()
    built = build_engine(plan.flavour, network, plan.batch, timing, report)
    record = replace(
        record,
        f32_layers=prepared.f32_layers,
        build_seconds=round(perf_counter() - start, 3),
        engine_sha256=hashlib.sha256(built.engine).hexdigest(),
    )
    write_engine(path, built.engine, record)
    if built.timing:
        # They only make the next build shorter: not worth failing for.
        with suppress(InputError), replacing(timing_file) as partial:
            partial.write_bytes(built.timing)
    return record


def cached_engine(
    plan: EnginePlan, crops: Crops, watcher: BuildWatcher
) -> tuple[bytes, EngineRecord]:
    """An engine from the cache, built if it is not there or no longer fits.

    Args:
        plan: what to find or build.
        crops: makes the crops on which overflows are looked for.
        watcher: told what is built, why, how far it is, and how long it took.

    Returns:
        The serialised engine and its record.

    Raises:
        InputError: it cannot be built or written.
    """
    wanted = plan.record()
    path = cache_folder() / f"{wanted.info.name}-{_digest(wanted)}.engine"
    if found := _found(path, wanted, lambda text: None):
        return found
    with claimed(path, wait=lambda: watcher.say("Another run builds this engine: waiting for it.")):
        # Its builder may have finished in between.
        if found := _found(path, wanted, watcher.say):
            return found
        watcher.say(
            f"building a TensorRT engine of {wanted.info.name} for {wanted.gpu.name} with "
            f"{plan.flavour.title}, {wanted.precision}; this is done once and may take minutes."
        )
        record = make_engine(path, plan, prepare(plan, crops), watcher.report)
        watcher.say(f"built {path} in {record.build_seconds:.1f} s.")
        return read_engine(path)


def _found(
    path: Path, wanted: EngineRecord, say: Callable[[str], object]
) -> tuple[bytes, EngineRecord] | None:
    """The engine of a file, if it is there and fits; says why it does not."""
    if not path.is_file():
        return None
    try:
        engine, record = read_engine(path)
    except InputError as error:
        say(f"{error} Building it again.")
        return None
    if record.key == wanted.key:
        return engine, record
    say(f"{path} is of another network or device: building it again.")
    return None


def given_engine(path: Path, flavour: Flavour, gpu: Gpu) -> tuple[bytes, EngineRecord]:
    """An engine file that the user names.

    Raises:
        InputError: it is damaged, not one of ours, or does not run here. It is not built again:
            which network it came from is not known here.
    """
    engine, record = read_engine(path)
    reason = foreign(record, flavour, gpu)
    if reason:
        raise InputError(
            f"{path} does not run here: {reason}; build it again with "
            f"python -m export.run --weights {record.info.name} --tensorrt {path}."
        )
    return engine, record


def _timing_path(record: EngineRecord) -> Path:
    """Timings hold for one TensorRT on one GPU, whatever the network."""
    text = json.dumps([record.flavour, record.version, asdict(record.gpu)])
    return cache_folder() / f"timing-{hashlib.sha256(text.encode()).hexdigest()[:16]}.cache"


def _digest(record: EngineRecord) -> str:
    """Short name of a key."""
    return hashlib.sha256(repr(record.key).encode()).hexdigest()[:16]
