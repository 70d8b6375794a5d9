"""What is known about an engine file: a small JSON beside it, `NAME.engine.json`."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from model.confidence import Calibration
from model.errors import InputError
from model.files import replacing, write_json
from model.shape_correction import ShapeCorrection
from model.shipped_markups import markup_from_plain, markup_to_plain
from tracker.engines.base import ModelInfo
from tracker.engines.tensorrt.cuda import Gpu
from tracker.engines.tensorrt.edition import Flavour

# 2: engines read bytes and give points beside heatmaps. 3: precisions are called f16 and f32.
_FORMAT = "3"
# In place of a GPU's name: a TensorRT for RTX engine is finished on the GPU it runs on.
ANY_GPU = Gpu("any RTX GPU", "any")


@dataclass(frozen=True)
class EngineRecord:
    """Where an engine comes from and what it runs on.

    Attributes:
        info: the network.
        onnx_sha256: of the ONNX file it was built from, hexadecimal.
        flavour: "tensorrt" or "tensorrt_rtx".
        version: of TensorRT, in full.
        gpu: name and compute capability of the GPU.
        precision: "f16" or "f32".
        batch: fewest, optimal and most crops at once.
        f32_layers: layers of an f16 engine that compute in 32 bits.
        build_seconds: how long the build took.
        engine_sha256: of the engine file, hexadecimal.
    """

    info: ModelInfo
    onnx_sha256: str
    flavour: str
    version: str
    gpu: Gpu
    precision: str
    batch: tuple[int, int, int]
    f32_layers: tuple[str, ...]
    build_seconds: float
    engine_sha256: str

    @property
    def key(self) -> tuple[object, ...]:
        """Two engines with the same key are interchangeable."""
        return (self.onnx_sha256, self.flavour, self.version, self.gpu, self.precision, self.batch)


def record_path(engine: Path) -> Path:
    """The JSON beside an engine file."""
    return engine.with_name(f"{engine.name}.json")


def write_engine(path: Path, engine: bytes, record: EngineRecord) -> None:
    """Write an engine and its record.

    Should the program end between the two, the hash in the record does not fit and `read_engine`
    says so.

    Args:
        path: the .engine file; replaced.
        engine: the serialised engine.
        record: what it is.

    Raises:
        InputError: the folder cannot be written to, or the disk is full.
    """
    with replacing(path) as partial:
        partial.write_bytes(engine)
    values = {"format": _FORMAT, **asdict(record)}
    values["info"]["markup"] = markup_to_plain(record.info.markup)
    write_json(record_path(path), values)


def read_record(path: Path) -> EngineRecord:
    """Read the record of an engine file.

    Args:
        path: the .engine file.

    Raises:
        InputError: no such engine, no record, or one that cannot be understood.
    """
    if not path.is_file():
        raise InputError(f"no engine file {path}: check the path.")
    beside = record_path(path)
    try:
        values = json.loads(beside.read_text(encoding="utf-8"))
        if values.pop("format") != _FORMAT:
            raise InputError(f"{beside} has another format than {_FORMAT}: build the engine again.")
        return _from_json(values)
    except FileNotFoundError as error:
        raise InputError(
            f"{path} has no {beside.name} beside it, which says what it is: build the engine with "
            "python -m export.run --tensorrt, and keep both files together."
        ) from error
    except OSError as error:
        raise InputError(f"cannot read {beside}: {error.strerror}.") from error
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise InputError(f"{beside} is damaged: build the engine again.") from error


def read_engine(path: Path) -> tuple[bytes, EngineRecord]:
    """Read an engine file and its record, and check that they belong together.

    Raises:
        InputError: as `read_record`, or the engine is cut off, damaged or another one.
    """
    record = read_record(path)
    try:
        engine = path.read_bytes()
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}.") from error
    if hashlib.sha256(engine).hexdigest() != record.engine_sha256:
        raise InputError(
            f"{path} is cut off, damaged, or not the engine that {record_path(path).name} "
            "describes: build it again."
        )
    return engine, record


def foreign(record: EngineRecord, flavour: Flavour, gpu: Gpu) -> str | None:
    """Why an engine does not run here, or None if it does.

    Args:
        record: of the engine.
        flavour: the TensorRT that is installed.
        gpu: the GPU here.

    Returns:
        Half a sentence: "it was built ..., here is ...".
    """
    if (record.flavour, record.version) != (flavour.name, flavour.version):
        return (
            f"it was built with {record.flavour} {record.version}, here is {flavour.name} "
            f"{flavour.version}"
        )
    if record.gpu not in (ANY_GPU, gpu):
        return (
            f"it was built for {record.gpu.name} (compute capability {record.gpu.capability}), "
            f"here is {gpu.name} ({gpu.capability})"
        )
    return None


def _from_json(values: dict[str, Any]) -> EngineRecord:
    if set(values) != {field.name for field in fields(EngineRecord)}:
        raise KeyError("fields")
    info = _info(values["info"])
    minimum, optimum, maximum = (int(n) for n in values["batch"])
    # What the tracker computes with; everything else is only compared.
    if info.input_size < 1 or not 1 <= minimum <= maximum:
        raise ValueError("values")
    rest = {
        "info": info,
        "gpu": Gpu(**values["gpu"]),
        "batch": (minimum, optimum, maximum),
        "f32_layers": tuple(values["f32_layers"]),
    }
    return EngineRecord(**{**values, **rest})


def _info(values: dict[str, Any]) -> ModelInfo:
    found = values.get("calibration")
    calibration = Calibration.from_dict(found) if found is not None else None
    try:
        markup = markup_from_plain(values["markup"], "the record")
    except InputError as error:
        raise ValueError("markup") from error
    found = values.get("correction")
    correction = ShapeCorrection.read(found["text"], markup.points) if found is not None else None
    fitted = {"calibration": calibration, "correction": correction}
    return ModelInfo(**{**values, "markup": markup, **fitted})
