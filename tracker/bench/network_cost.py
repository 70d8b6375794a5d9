"""What one run of a network takes, counted in its ONNX file: needs no torch."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING

from model.errors import InputError
from tracker.engines.onnx_file import read_onnx

if TYPE_CHECKING:
    import onnx

# Other operators that multiply by weights. PropNet has none: a file with them would be
# undercounted.
_UNCOUNTED = {"ConvTranspose", "Gemm", "MatMul", "ConvInteger", "QLinearConv", "MatMulInteger"}


@dataclass(frozen=True)
class Work:
    """What one run of a network takes.

    Attributes:
        macs: multiply-accumulates for one crop.
        weight_bytes: read once for a batch. The maps between layers need not leave the caches.
    """

    macs: int
    weight_bytes: int


def network_work(weights: str, width: int) -> Work:
    """Work of an exported network at its input size.

    Counted as `model.complexity` counts: every weight of a convolution once for every position
    that it is applied to; scales and shifts of batch normalisation are read, but cost nothing.

    Args:
        weights: a shipped name or the path of an .onnx file.
        width: bytes of a number while it runs, whatever the file stores: 4 for 32-bit floats.

    Returns:
        Its work.

    Raises:
        InputError: unusable weights, or a network that cannot be counted.
    """
    import onnx  # noqa: PLC0415  (a tenth of a second, only needed here)

    file = read_onnx(weights)
    graph = onnx.shape_inference.infer_shapes(onnx.load_model_from_string(file.data)).graph
    shapes = _shapes(graph)
    macs = 0
    read: set[str] = set()
    for node in graph.node:
        if node.op_type in _UNCOUNTED:
            raise InputError(
                f"{file.path}: the work of {node.op_type} layers is not counted: export the "
                "network with python -m export.run."
            )
        if node.op_type == "Conv":
            # [outputs, inputs / groups, height, width], at every place of the output's map.
            places = shapes.get(node.output[0], (0,))[2:]
            kernel = shapes.get(node.input[1], (0,))
            if not (len(places) == 2 and all(places) and all(kernel)):
                raise InputError(
                    f"{file.path}: the size of the layer {node.name!r} is unknown: export the "
                    "network again."
                )
            macs += prod(kernel) * prod(places)
            read.update(node.input[1:])
        elif node.op_type == "BatchNormalization":
            read.update(node.input[1:3])
    return Work(macs, width * sum(prod(shapes[name]) for name in read))


def _shapes(graph: onnx.GraphProto) -> dict[str, tuple[int, ...]]:
    """Name -> shape of every tensor whose shape is known; 0 for an open dimension."""
    values = (*graph.input, *graph.value_info, *graph.output)
    shapes = {v.name: tuple(d.dim_value for d in v.type.tensor_type.shape.dim) for v in values}
    return shapes | {tensor.name: tuple(tensor.dims) for tensor in graph.initializer}
