"""Normalisation before and decoder behind an exported network, as operators of its graph.

With them only bytes go to a GPU (a quarter of the 32-bit planes) and only coordinates need to come
back. On a processor a frame's decoding costs 0.1 ms in the graph and 0.5 as NumPy's small steps,
whose code and data a network pushes out of the caches each time. The decoder is
`model.decoder.decode` with the same guards, in 32-bit floats: f16 would take the sub-pixel step,
and even the index of the maximum, which may be beyond its whole numbers.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper

from model.decoder import (
    DARK_DETERMINANT,
    DECODERS,
    FLOOR,
    GAIN,
    REACH,
    STEPS,
    WINDOW,
    Decoder,
)
from model.heatmap import STRIDE
from tracker.engines.flat_maps import FlatMaps
from tracker.engines.graph_operators import Operators
from tracker.engines.onnx_file import INPUT, OUTPUT

# Up to this (p - c) / (p + c), about p / c = 2, artanh is the better way to log(p / c).
_NEAR = 1 / 3
PIXELS, PEAKS = "pixels", "peaks"
# Decoder -> name of its output. They are a handful of operations on the same neighbourhoods.
POINTS: dict[Decoder, str] = {method: f"points_{method}" for method in DECODERS}


def with_decoder(
    model: onnx.ModelProto,
    decoders: Collection[Decoder] = DECODERS,
    *,
    heatmaps: bool = True,
    channels_last: bool = False,
) -> onnx.ModelProto:
    """Let a network read bytes and give points.

    Args:
        model: an exported network of any precision with 32-bit input "image" [N, 3, S, S] and
            output "heatmaps" [N, K, S/4, S/4]; not changed. Other outputs stay as they are.
        decoders: those whose points are wanted; with none there are no peaks either.
        heatmaps: whether they stay an output. On a processor that is to copy them into the order
            of the output, 0.06 ms a face.
        channels_last: whether the decoder reads them cell by cell; see `FlatMaps`.

    Returns:
        The network with the input "pixels" [N, S, S, 3], uint8, and the outputs "heatmaps", where
        they stay one, for every decoder "points_centroid", "points_dark" or "points_quarter"
        [N, K, 2], crop pixels, and "peaks" [N, K], all in 32 bits. A map without any number in it
        gives some point inside the crop.
    """
    decoded = onnx.ModelProto()
    decoded.CopyFrom(model)
    graph = decoded.graph
    (image,) = (value for value in graph.input if value.name == INPUT)
    (maps,) = (value for value in graph.output if value.name == OUTPUT)
    batch, _, size, _ = image.type.tensor_type.shape.dim
    count = batch.dim_param or batch.dim_value
    points, side = (maps.type.tensor_type.shape.dim[axis].dim_value for axis in (1, 2))
    before, after = Operators("pixels"), Operators("decoder")
    _normalize(before)
    if decoders:
        _decode(after, FlatMaps(after, OUTPUT, points, side, channels_last), decoders)
    nodes = [*before.nodes, *graph.node, *after.nodes]
    del graph.node[:], graph.input[:]
    graph.node.extend(nodes)
    graph.initializer.extend([*before.constants, *after.constants])
    pixels = (count, size.dim_value, size.dim_value, 3)
    graph.input.append(helper.make_tensor_value_info(PIXELS, TensorProto.UINT8, pixels))
    shapes: dict[str, tuple[Any, ...]] = {
        POINTS[decoder]: (count, points, 2) for decoder in decoders
    }
    if decoders:
        shapes[PEAKS] = (count, points)
    if not heatmaps:
        graph.output.remove(maps)
    graph.output.extend(
        helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
        for name, shape in shapes.items()
    )
    onnx.checker.check_model(decoded, full_check=True)
    return decoded


def _normalize(op: Operators) -> None:
    """`tracker.engines.base.normalize`, from PIXELS to INPUT."""
    # TensorRT takes bytes only as a network's input, and only into a cast.
    values = op("Cast", PIXELS, to=TensorProto.FLOAT)
    planes = op("Transpose", values, perm=[0, 3, 1, 2])
    op("Sub", op("Mul", planes, 1 / 127.5), 1, output=INPUT)


def _decode(op: Operators, maps: FlatMaps, decoders: Collection[Decoder]) -> None:
    """`model.decoder.decode`, from maps to the points of some decoders and the peaks.

    Tensors are [N, K, something] with one column each unless said otherwise.
    """
    side = maps.side
    peak, best = maps.highest()
    op("Squeeze", peak, op.constant(np.array([-1])), output=PEAKS)
    # The half keeps a division that rounds down from falling into the row above.
    row = op("Floor", op("Div", op("Add", best, 0.5), side))
    column = op("Sub", best, op("Mul", row, side))
    offsets: dict[Decoder, tuple[str, str]] = {}
    if "centroid" in decoders:
        offsets["centroid"] = _centroid_offset(op, maps, peak, (column, row))
    if not {"dark", "quarter"}.isdisjoint(decoders):
        offsets |= _neighbour_offsets(op, maps, (column, row))
    for method in decoders:
        moved = [
            op("Add", place, step)
            for place, step in zip((column, row), offsets[method], strict=True)
        ]
        point = op("Concat", *moved, axis=-1)
        op("Sub", op("Mul", op("Add", point, 0.5), STRIDE), 0.5, output=POINTS[method])


def _centroid_offset(
    op: Operators, maps: FlatMaps, peak: str, place: tuple[str, str]
) -> tuple[str, str]:
    """Steps in x and y from the maximum to the windowed centroid, at most `REACH` cells."""
    side = maps.side
    around = np.arange(-REACH, REACH + 1, dtype=np.float32)
    size = len(around)
    steps, distances = op.constant(around[None, None]), op.constant(np.abs(around)[None, None])
    last, before_last = op.constant(np.array([-1])), op.constant(np.array([-2]))
    # Both [N, K, D]: whether a column or row counts, and which cell to read.
    seen = [op("LessOrEqual", distances, op("Min", p, op("Sub", side - 1, p))) for p in place]
    x, y = (op("Where", see, op("Add", p, steps), 0) for see, p in zip(seen, place, strict=True))
    cells = op("Add", op("Mul", op("Unsqueeze", y, last), side), op("Unsqueeze", x, before_last))
    index = op("Reshape", cells, op.constant(np.array([0, 0, size * size])))
    positive = op("Greater", peak, 0)
    patch = op("Div", op("Max", maps.at(index), 0), op("Where", positive, peak, 1))
    flat = op("Mul", patch, patch)
    mass = op("Reshape", flat, op.constant(np.array([0, 0, size, size])))
    offset = [op("Mul", p, 0) for p in place]
    for _ in range(STEPS):
        windows = []
        for see, centre in zip(seen, offset, strict=True):
            apart = op("Sub", steps, centre)
            exponent = op("Mul", op("Mul", apart, apart), -1 / (2 * WINDOW**2))
            windows.append(op("Where", see, op("Exp", exponent), 0))
        across = op("Mul", mass, op("Unsqueeze", windows[0], before_last))
        weighed = op("Mul", across, op("Unsqueeze", windows[1], last))
        along = [op("ReduceSum", weighed, axis, keepdims=0) for axis in (before_last, last)]
        total = op("Where", positive, op("ReduceSum", along[0], last, keepdims=1), 1)
        moments = [op("ReduceSum", op("Mul", a, steps), last, keepdims=1) for a in along]
        offset = [
            op(
                "Clip",
                op("Add", o, op("Mul", op("Sub", op("Div", m, total), o), GAIN)),
                -REACH,
                REACH,
            )
            for o, m in zip(offset, moments, strict=True)
        ]
    first, second = (op("Where", positive, o, 0) for o in offset)
    return first, second


def _neighbour_offsets(
    op: Operators, maps: FlatMaps, place: tuple[str, str]
) -> dict[Decoder, tuple[str, str]]:
    """Steps in x and y of the decoders that read the eight cells around the maximum."""
    side = maps.side
    inside = [op("Clip", p, 1, side - 2) for p in place]
    centre = op("Add", op("Mul", inside[1], side), inside[0])
    steps = np.arange(-1, 2, dtype=np.float32)
    around = op.constant((side * steps[:, None] + steps).reshape(1, 1, 9))
    patch = maps.at(op("Add", centre, around))
    movable = [op("Equal", i, p) for i, p in zip(inside, place, strict=True)]
    found: dict[Decoder, tuple[str, str]] = {
        "dark": _dark_offset(op, patch),
        "quarter": _quarter_offset(op, patch),
    }
    for method, (x, y) in found.items():
        found[method] = op("Where", movable[0], x, 0), op("Where", movable[1], y, 0)
    return found


def _dark_offset(op: Operators, patch: str) -> tuple[str, str]:
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


def _guarded(op: Operators, good: str, step: str) -> str:
    return op("Where", good, op("Clip", step, -1, 1), 0)


def _quarter_offset(op: Operators, patch: str) -> tuple[str, str]:
    """A quarter step towards the larger neighbour of the centre of [N, K, 9] responses."""
    _, b, _, d, _, f, _, h, _ = op.split(patch, 9)
    return (
        op("Mul", op("Sign", op("Sub", f, d)), 0.25),
        op("Mul", op("Sign", op("Sub", h, b)), 0.25),
    )
