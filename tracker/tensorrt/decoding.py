"""Normalisation before and decoder behind an exported network, as operators of its graph.

With them only bytes go to the GPU (a quarter of the 32-bit planes) and only coordinates need to
come back. The decoder is `model.heatmap.decode` with the same guards, in 32-bit floats: fp16 would
take the sub-pixel step, and even the index of the maximum, which may be beyond its whole numbers.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from model.heatmap import DARK_DETERMINANT, FLOOR, STRIDE, Decoder
from tracker.engines.onnx_file import INPUT, OUTPUT

# Up to this (p - c) / (p + c), about p / c = 2, artanh is the better way to log(p / c).
_NEAR = 1 / 3
PIXELS, PEAKS = "pixels", "peaks"
# Decoder -> name of its output. Both are a handful of operations on the same neighbourhoods.
POINTS: dict[Decoder, str] = {"dark": "points_dark", "quarter": "points_quarter"}


def with_decoder(model: onnx.ModelProto) -> onnx.ModelProto:
    """Let a network read bytes and give points.

    Args:
        model: an exported network of any precision with 32-bit input "image" [N, 3, S, S] and
            output "heatmaps" [N, K, S/4, S/4]; not changed. Other outputs are dropped.

    Returns:
        The network with the input "pixels" [N, S, S, 3], uint8, and the outputs "heatmaps",
        "points_dark" and "points_quarter" [N, K, 2], crop pixels, and "peaks" [N, K], all in 32
        bits. A map without any number in it gives some point inside the crop.
    """
    decoded = onnx.ModelProto()
    decoded.CopyFrom(model)
    graph = decoded.graph
    (image,) = (value for value in graph.input if value.name == INPUT)
    (heatmaps,) = (value for value in graph.output if value.name == OUTPUT)
    batch, _, size, _ = image.type.tensor_type.shape.dim
    count = batch.dim_param or batch.dim_value
    points, side = (heatmaps.type.tensor_type.shape.dim[axis].dim_value for axis in (1, 2))
    before, after = _Operators("pixels"), _Operators("decoder")
    _normalize(before)
    _decode(after, points, side)
    nodes = [*before.nodes, *graph.node, *after.nodes]
    del graph.node[:], graph.input[:], graph.output[:]
    graph.node.extend(nodes)
    graph.initializer.extend([*before.constants, *after.constants])
    pixels = (count, size.dim_value, size.dim_value, 3)
    graph.input.append(helper.make_tensor_value_info(PIXELS, TensorProto.UINT8, pixels))
    shapes = {
        OUTPUT: (count, points, side, side),
        **dict.fromkeys(POINTS.values(), (count, points, 2)),
        PEAKS: (count, points),
    }
    graph.output.extend(
        helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
        for name, shape in shapes.items()
    )
    onnx.checker.check_model(decoded, full_check=True)
    return decoded


class _Operators:
    """Collects nodes and constants of a part of a graph.

    Attributes:
        nodes: in order.
        constants: what they read beside each other's results.

    Args:
        prefix: of all names; keeps them apart from the network's.
    """

    def __init__(self, prefix: str) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self._prefix = prefix

    def __call__(
        self, kind: str, *inputs: str | float, output: str | None = None, **attributes: Any
    ) -> str:
        """Add an operator; numbers among its inputs become 32-bit constants.

        Returns:
            Name of its result.
        """
        names = [self.constant(np.float32(x)) if not isinstance(x, str) else x for x in inputs]
        name = f"{self._prefix}.{len(self.nodes)}.{kind}"
        output = output or name
        self.nodes.append(helper.make_node(kind, names, [output], name, **attributes))
        return output

    def split(self, values: str, count: int) -> list[str]:
        """Add a split of the last axis into single columns; returns their names."""
        name = f"{self._prefix}.{len(self.nodes)}.Split"
        outputs = [f"{name}.{i}" for i in range(count)]
        self.nodes.append(
            helper.make_node("Split", [values], outputs, name, axis=-1, num_outputs=count)
        )
        return outputs

    def constant(self, values: NDArray[np.generic] | np.generic) -> str:
        """Add a constant; returns its name."""
        name = f"{self._prefix}.constant.{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(values), name))
        return name


def _normalize(op: _Operators) -> None:
    """`tracker.engines.base.normalize`, from PIXELS to INPUT."""
    # TensorRT takes bytes only as a network's input, and only into a cast.
    values = op("Cast", PIXELS, to=TensorProto.FLOAT)
    planes = op("Transpose", values, perm=[0, 3, 1, 2])
    op("Sub", op("Mul", planes, 1 / 127.5), 1, output=INPUT)


def _decode(op: _Operators, points: int, side: int) -> None:
    """`model.heatmap.decode`, from OUTPUT to the points of both decoders and the peaks.

    Tensors are [N, K, something] with one column each unless said otherwise.
    """
    last = op.constant(np.array([-1]))
    maps = op("Reshape", OUTPUT, op.constant(np.array([0, points, side * side])))
    peak = op("ReduceMax", maps, last, keepdims=1)
    op("Squeeze", peak, last, output=PEAKS)
    # The first of equal maxima, as numpy takes it; TensorRT's ArgMax does not say which.
    # Whole numbers up to 2 ** 24 are exact in 32-bit floats.
    places = op.constant(np.arange(side * side, dtype=np.float32)[None, None])
    equal = op("Where", op("Equal", maps, peak), places, op.constant(np.float32(side * side - 1)))
    best = op("ReduceMin", equal, last, keepdims=1)
    # The half keeps a division that rounds down from falling into the row above.
    row = op("Floor", op("Div", op("Add", best, 0.5), side))
    column = op("Sub", best, op("Mul", row, side))
    inside_row = op("Clip", row, 1, side - 2)
    inside_column = op("Clip", column, 1, side - 2)
    centre = op("Add", op("Mul", inside_row, side), inside_column)
    steps = np.arange(-1, 2, dtype=np.float32)
    around = op.constant((side * steps[:, None] + steps).reshape(1, 1, 9))
    index = op("Cast", op("Add", centre, around), to=TensorProto.INT64)
    patch = op("GatherElements", maps, index, axis=2)  # [N, K, 9]
    movable = op("Equal", inside_column, column), op("Equal", inside_row, row)
    for method, offset in (("dark", _dark_offset), ("quarter", _quarter_offset)):
        moved = [
            op("Add", place, op("Where", free, step, 0))
            for place, free, step in zip((column, row), movable, offset(op, patch), strict=True)
        ]
        point = op("Concat", *moved, axis=-1)
        op(
            "Sub",
            op("Mul", op("Add", point, 0.5), STRIDE),
            0.5,
            output=POINTS["dark" if method == "dark" else "quarter"],
        )


def _dark_offset(op: _Operators, patch: str) -> tuple[str, str]:
    """The Newton step on the logarithm of [N, K, 9] responses.

    Logarithms are taken relative to the centre's, and where p is close to c as log(p / c) =
    2 artanh((p - c) / (p + c)): on a flat top that keeps the digits that two logarithms lose.
    """
    positive = op("Max", patch, FLOOR)
    centre = op("Slice", positive, *(op.constant(np.array([i])) for i in (4, 5, 2)))
    apart = op("Div", op("Sub", positive, centre), op("Add", positive, centre))
    near = op("Mul", op("Atanh", apart), 2)
    far = op("Log", op("Div", positive, centre))
    logs = op("Where", op("Less", op("Abs", apart), _NEAR), near, far)
    a, b, c, d, _, f, g, h, i = op.split(logs, 9)
    dx = op("Div", op("Sub", f, d), 2)
    dy = op("Div", op("Sub", h, b), 2)
    dxx, dyy = op("Add", f, d), op("Add", h, b)
    dxy = op("Div", op("Add", op("Sub", op("Sub", i, g), c), a), 4)
    determinant = op("Sub", op("Mul", dxx, dyy), op("Mul", dxy, dxy))
    good = op("And", op("Greater", determinant, DARK_DETERMINANT), op("Less", dxx, 0))
    safe = op("Where", good, determinant, 1)
    x = op("Sub", op("Mul", dxy, dy), op("Mul", dyy, dx))
    y = op("Sub", op("Mul", dxy, dx), op("Mul", dxx, dy))
    return _guarded(op, good, op("Div", x, safe)), _guarded(op, good, op("Div", y, safe))


def _guarded(op: _Operators, good: str, step: str) -> str:
    return op("Where", good, op("Clip", step, -1, 1), 0)


def _quarter_offset(op: _Operators, patch: str) -> tuple[str, str]:
    """A quarter step towards the larger neighbour of the centre of [N, K, 9] responses."""
    _, b, _, d, _, f, _, h, _ = op.split(patch, 9)
    return (
        op("Mul", op("Sign", op("Sub", f, d)), 0.25),
        op("Mul", op("Sign", op("Sub", h, b)), 0.25),
    )
