"""Reading our exported ONNX files, for every engine that runs them."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from model.confidence import Calibration
from model.errors import InputError
from model.heatmap import LARGEST_CROP, STRIDE
from model.markup import Markup
from model.shape_correction import ShapeCorrection
from model.shipped_markups import markup_from_plain, markup_to_plain
from model.zoo import WEIGHTS, find_int8, find_weights
from tracker.engines.base import ModelInfo, Precision
from tracker.engines.onnx_checks import check_graph, check_names

if TYPE_CHECKING:
    import onnx


_Fitted = TypeVar("_Fitted")

INPUT, OUTPUT = "image", "heatmaps"
BOUNDARIES, ATTENTION = "boundaries", "attention"  # see `tracker.engines.base.Maps`
FORMAT = "1"
PREFIX = "propnet."
# Optional: see `model.confidence`, `model.shape_correction`.
CALIBRATION, CORRECTION = "calibration", "correction"
_KEYS = ("format", "name", "markup", "input_size", "weights_sha256")
# Only files of export.quantize have it, with the value "int8".
PRECISION = "precision"
# And how much larger their NME on the dev split is than in floats, in its percent.
INT8_LOSS = "int8_loss"


@dataclass(frozen=True)
class OnnxFile:
    """A checked file.

    Attributes:
        path: where it is.
        data: its bytes: what the engines load, so that the checked and the run file are one. With
            the outputs that were asked for and no others.
        info: its metadata.
        int8: whether export.quantize made it: most of its layers compute in 8 bits.
        int8_loss: by how much that raises the NME, in its percent, as measured when it was made;
            None where nobody wrote it down.
    """

    path: Path
    data: bytes
    info: ModelInfo
    int8: bool = False
    int8_loss: float | None = None


def read_onnx(weights: str, precision: Precision = "auto", maps: bool = False) -> OnnxFile:
    """Read an exported network and check that it is ours and whole.

    Args:
        weights: a shipped name ("propnet-s") or the path of an .onnx file.
        precision: what the caller will compute in. "int8" finds the int8 file of a shipped name;
            "auto" takes what is given.
        maps: whether boundary and attention maps are wanted besides the heatmaps.

    Returns:
        The file.

    Raises:
        InputError: no such file, not ONNX, truncated, damaged, not exported by this project, its
            input and outputs do not fit its metadata, another precision than asked for, or no maps
            where they are wanted.
    """
    import onnx  # noqa: PLC0415  (a tenth of a second, only needed here)
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped]  # noqa: PLC0415

    path = find_int8(weights) if precision == "int8" else find_weights(weights, ".onnx")
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}.") from error
    try:
        model = onnx.load_model_from_string(data)
    except DecodeError as error:
        raise InputError(
            f"{path} is not an ONNX file or was cut off: export or download it again."
        ) from error
    foreign = path.parent != WEIGHTS  # ours have been compared with their sums
    if foreign:
        check_names(model, path)
    info = _info(model, path)
    if foreign:
        check_graph(model, path)
    int8 = _is_int8(model, path, precision)
    wanted = {OUTPUT, BOUNDARIES, ATTENTION} if maps else {OUTPUT}
    if maps:
        _check_maps(model, info, path)
    if any(output.name not in wanted for output in model.graph.output):
        data = with_outputs(model, wanted).SerializeToString(deterministic=True)
    return OnnxFile(path, data, info, int8, _int8_loss(model, path))


def _int8_loss(model: onnx.ModelProto, path: Path) -> float | None:
    texts = [entry.value for entry in model.metadata_props if entry.key == PREFIX + INT8_LOSS]
    try:
        return float(texts[0]) if texts else None
    except ValueError as error:
        raise InputError(f"{path} has an impossible loss {texts[0]!r}: export it again.") from error


def _check_maps(model: onnx.ModelProto, info: ModelInfo, path: Path) -> None:
    names = {output.name for output in model.graph.output}
    if not names.issuperset({BOUNDARIES, ATTENTION}):
        raise InputError(
            f"{path} has no boundary and attention maps to draw: export the network again with "
            "this version's python -m export.run (it must have two stacks or more)."
        )
    side = info.input_size // STRIDE
    curves = len(info.markup.curves)
    _check_shape(model.graph.output, BOUNDARIES, (curves, side, side), path)
    _check_shape(model.graph.output, ATTENTION, (side, side), path)


def _is_int8(model: onnx.ModelProto, path: Path, precision: Precision) -> bool:
    """Whether the file is an int8 one, checked against what is asked for."""
    values = {entry.key: entry.value for entry in model.metadata_props}
    mark = values.get(PREFIX + PRECISION)
    if mark not in (None, "int8"):
        raise InputError(f"{path} has an unknown precision {mark!r}: export it again.")
    if precision == "int8" and mark is None:
        raise InputError(
            f"{path} is not an int8 network: make one of it with python -m export.quantize, or use "
            "another precision."
        )
    if precision not in ("auto", "int8") and mark == "int8":
        raise InputError(
            f"{path} is an int8 network and has no precision {precision!r}: use int8 or auto, or "
            "the file that it was made from."
        )
    return mark == "int8"


def _info(model: onnx.ModelProto, path: Path) -> ModelInfo:
    entries = {entry.key: entry.value for entry in model.metadata_props}
    values = {key: entries.get(PREFIX + key, "") for key in _KEYS}
    missing = [PREFIX + key for key in _KEYS if not values[key]]
    if missing:
        raise InputError(
            f"{path} was not exported by this project (no {', '.join(missing)} in its metadata): "
            "make one with python -m export.run."
        )
    if values["format"] != FORMAT:
        raise InputError(
            f"{path} has format {values['format']}, this version reads {FORMAT}: export it again."
        )
    markup = _markup(values["markup"], path)
    text = values["input_size"]
    size = int(text) if text.isdecimal() and len(text) <= len(str(LARGEST_CROP)) else 0
    if not 0 < size <= LARGEST_CROP or size % STRIDE:
        raise InputError(
            f"{path} has an impossible input size {values['input_size']!r}: export it again."
        )
    side = size // STRIDE
    _check_shape(model.graph.input, INPUT, (3, size, size), path)
    _check_shape(model.graph.output, OUTPUT, (markup.points, side, side), path)
    return ModelInfo(
        values["name"],
        markup,
        size,
        values["weights_sha256"],
        _fitted(entries, CALIBRATION, Calibration.from_json, path),
        _fitted(entries, CORRECTION, lambda text: ShapeCorrection.read(text, markup.points), path),
    )


def markup_text(markup: Markup) -> str:
    """How a file's metadata name a markup: by its name, or by all of it, as JSON."""
    plain = markup_to_plain(markup)
    return plain if isinstance(plain, str) else json.dumps(plain)


def _markup(text: str, path: Path) -> Markup:
    if not text.startswith("{"):
        return markup_from_plain(text, str(path))
    try:
        return markup_from_plain(json.loads(text), f"{path}, markup")
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} has a markup without sense: export it again.") from error


def _fitted(
    entries: Mapping[str, str], key: str, read: Callable[[str], _Fitted], path: Path
) -> _Fitted | None:
    """What was fitted to the network, if the metadata have it: a calibration, a correction."""
    text = entries.get(PREFIX + key)
    if text is None:
        return None
    try:
        return read(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} has a {key} without sense: export it again.") from error


def _check_shape(values: object, name: str, expected: tuple[int, ...], path: Path) -> None:
    """Compare the shape of one input or output, the batch dimension left out."""
    shapes = {
        value.name: tuple(dim.dim_value for dim in value.type.tensor_type.shape.dim)
        for value in values  # type: ignore[attr-defined]
    }
    if name not in shapes:
        raise InputError(f"{path} has no tensor {name!r}: export it again.")
    if shapes[name][1:] != expected:
        raise InputError(
            f"{path}: the tensor {name!r} is {list(shapes[name][1:])}, its metadata say "
            f"{list(expected)}: export it again."
        )


def with_outputs(model: onnx.ModelProto, names: Collection[str]) -> onnx.ModelProto:
    """The part of a model that some of its outputs need, with the model's metadata.

    Args:
        model: not changed.
        names: outputs to keep.
    """
    from onnx.utils import Extractor  # noqa: PLC0415  (as above)

    outputs = [value.name for value in model.graph.output if value.name in names]
    part = Extractor(model).extract_model([value.name for value in model.graph.input], outputs)
    # The extractor leaves them behind.
    part.metadata_props.extend(model.metadata_props)
    return part
