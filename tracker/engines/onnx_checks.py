"""Is a network's file sound? Asked before an engine sees it: engines take its word for sizes."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from model.errors import InputError
from model.heatmap import STRIDE
from tracker.engines.base import ModelInfo

if TYPE_CHECKING:
    import onnx

# Elements of a tensor, and of all weights: 1 GB in 32 bits. The paper's network has 36 million
# weights, and maps of 17 million at 1024 pixels.
_MOST = 1 << 28
_SHOWN = 40  # bytes of a name


def check_graph(model: onnx.ModelProto, path: Path) -> None:
    """Refuse a damaged graph.

    Args:
        model: as it was read.
        path: its file, for messages.

    Raises:
        InputError: weights in other files, a graph without sense, or tensors that no network of
            ours has.
    """
    import onnx  # noqa: PLC0415  (a tenth of a second, only needed here)

    tensors = [node for node in model.graph.initializer if node.data_location == node.EXTERNAL]
    if tensors:
        raise InputError(f"{path} keeps its weights in other files: export it again.")
    weights = sum(_elements(tensor.dims) for tensor in model.graph.initializer)
    if weights > _MOST:
        raise _damaged(path, "its weights are larger than those of any network of ours")
    try:
        onnx.checker.check_model(model)
        shaped = onnx.shape_inference.infer_shapes(model)
    # The checker's errors, and those of what it is made of.
    except Exception as error:
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise _damaged(path, lines[0]) from error
    for value in (*shaped.graph.value_info, *shaped.graph.input, *shaped.graph.output):
        dims = [d.dim_value for d in value.type.tensor_type.shape.dim if d.HasField("dim_value")]
        if _elements(dims) > _MOST:
            raise _damaged(path, f"its tensor {value.name!r} is too large")


def check_names(model: onnx.ModelProto, path: Path) -> None:
    """Refuse names that are no text: ONNX hands them out as bytes, and whoever joins them raises.

    Raises:
        InputError: there is one.
    """
    wrong = next((text for text in _texts(model) if isinstance(text, bytes)), None)
    if wrong is not None:
        raise _damaged(path, f"the name {wrong[:_SHOWN]!r} in it is no text")


@contextmanager
def running(library: str, path: Path) -> Iterator[None]:
    """A first run of a network, what a library raises in it as one sentence.

    Raises:
        InputError: the library cannot run it.
    """
    try:
        yield
    except InputError:
        raise
    # Its exceptions share no base class.
    except Exception as error:
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise InputError(f"{library} cannot run {path}: {lines[0]}") from error


def check_output(found: Sequence[int], info: ModelInfo, path: Path) -> None:
    """Refuse a network that gives other maps than its metadata say.

    Args:
        found: shape of the heatmaps of one face.
        info: the metadata.
        path: of the file, for messages.
    """
    side = info.input_size // STRIDE
    expected = (1, info.markup.points, side, side)
    if tuple(found) != expected:
        raise _damaged(path, f"its heatmaps are {list(found)} instead of {list(expected)}")


def _damaged(path: Path, reason: str) -> InputError:
    return InputError(f"{path} is damaged ({reason.rstrip('.')}): export or download it again.")


def _elements(dims: Any) -> int:
    """How many a shape has; more than any for one that is none."""
    return math.prod(dims) if all(side >= 0 for side in dims) else _MOST + 1


def _texts(message: Any) -> Iterator[str | bytes]:
    """Every text in a message; those that are no UTF-8 are bytes."""
    for field, value in message.ListFields():
        if field.type == field.TYPE_MESSAGE:
            for one in value if field.is_repeated else (value,):
                yield from _texts(one)
        elif field.type == field.TYPE_STRING:
            yield from value if field.is_repeated else (value,)
