"""A detector as an ONNX file that finds one bright square, in each of the layouts that are read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

LAYOUTS = ("yolo8", "yolo5", "end", "plain", "flat")


def box_onnx(path: Path, layout: str, size: int = 64, rows: int = 12) -> Path:
    """Write a detector whose best box is where the picture is brighter than a half.

    Its first row is the box around the bright pixels with score 0.9; others have the score 0.1.
    """
    nodes = [
        helper.make_node("ReduceMean", ["images", "axis1"], ["grey"], keepdims=0),  # [1, S, S]
        helper.make_node("Greater", ["grey", "half"], ["bright"]),
        helper.make_node("Cast", ["bright"], ["mask"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMax", ["mask", "axis1"], ["columns"], keepdims=0),  # [1, S]
        helper.make_node("ReduceMax", ["mask", "axis2"], ["lines"], keepdims=0),
    ]
    for name, mask in (("x", "columns"), ("y", "lines")):
        nodes += [
            helper.make_node("Mul", [mask, "after"], [f"{name}.after"]),
            helper.make_node("ReduceMax", [f"{name}.after", "axis1"], [f"{name}1"], keepdims=1),
            helper.make_node("Mul", [mask, "before"], [f"{name}.before"]),
            helper.make_node("ReduceMax", [f"{name}.before", "axis1"], [f"{name}.b"], keepdims=1),
            helper.make_node("Sub", ["side", f"{name}.b"], [f"{name}0"]),
        ]
    corners = ["x0", "y0", "x1", "y1"]
    if layout in ("yolo8", "yolo5"):
        for name in "xy":
            nodes += [
                helper.make_node("Add", [f"{name}0", f"{name}1"], [f"{name}.sum"]),
                helper.make_node("Mul", [f"{name}.sum", "half"], [f"{name}.middle"]),
                helper.make_node("Sub", [f"{name}1", f"{name}0"], [f"{name}.length"]),
            ]
        corners = ["x.middle", "y.middle", "x.length", "y.length"]
    tail = {
        "yolo8": ["low", "score"], "yolo5": ["one", "low", "score"], "end": ["score", "one"],
        "plain": ["score"], "flat": ["score"],
    }[layout]  # fmt: skip
    nodes.append(helper.make_node("Concat", [*corners, *tail], ["row"], axis=1))  # [1, C]
    # More rows, which are too unsure: the first, with the numbers of the scores small.
    columns = 4 + len(tail)
    weights = np.ones((rows, columns), np.float32)
    weights[1:, 4:] = 0.1
    nodes.append(helper.make_node("Mul", ["row", "weights"], ["rows"]))  # [R, C]
    if layout == "yolo8":
        nodes.append(helper.make_node("Transpose", ["rows"], ["turned"], perm=[1, 0]))
    last = "turned" if layout == "yolo8" else "rows"
    shape = [columns, rows] if layout == "yolo8" else [rows, columns]
    if layout != "flat":
        nodes.append(helper.make_node("Unsqueeze", [last, "axis0"], ["output"]))
        shape = [1, *shape]
    else:
        nodes.append(helper.make_node("Identity", [last], ["output"]))
    steps = np.arange(size, dtype=np.float32)[None]
    constants = {
        "half": np.float32(0.5), "side": np.float32(size), "weights": weights,
        "after": steps + 1, "before": size - steps,
        "one": np.ones((1, 1), np.float32), "score": np.full((1, 1), 0.9, np.float32),
        "low": np.full((1, 1), 0.2, np.float32),
        **{f"axis{i}": np.array([i], np.int64) for i in range(3)},
    }  # fmt: skip
    graph = helper.make_graph(
        nodes, "boxes",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, 3, size, size])],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, shape)],
        [numpy_helper.from_array(np.asarray(v), name) for name, v in constants.items()],
    )  # fmt: skip
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10), path
    )
    return path
