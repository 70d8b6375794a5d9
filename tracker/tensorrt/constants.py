"""Values in a graph that do not depend on the image, computed once in 32-bit floats."""

from __future__ import annotations

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper
from onnx.reference import ReferenceEvaluator


def fold_constants(model: onnx.ModelProto) -> onnx.ModelProto:
    """Replace every node whose inputs are all constant by its value.

    Those are the casts behind which weights are stored as fp16, and CoordConv's coordinate grids,
    whose squares and square roots would lose digits in fp16.

    Args:
        model: any ONNX model without subgraphs; not changed.

    Returns:
        An equal model. Its weights are stored in the type in which they are used.
    """
    folded = onnx.ModelProto()
    folded.CopyFrom(model)
    graph = folded.graph
    values = {tensor.name: tensor for tensor in graph.initializer}
    kept = []
    for node in graph.node:
        if node.op_type != "Constant" and not all(
            name in values or not name for name in node.input
        ):
            kept.append(node)
            continue
        for name, result in zip(node.output, _evaluate(node, values, folded), strict=True):
            values[name] = numpy_helper.from_array(np.ascontiguousarray(result), name)
    used = {name for node in kept for name in node.input}
    del graph.node[:], graph.initializer[:], graph.value_info[:]
    graph.node.extend(kept)
    graph.initializer.extend(tensor for name, tensor in values.items() if name in used)
    return folded


def _evaluate(
    node: onnx.NodeProto, values: dict[str, onnx.TensorProto], model: onnx.ModelProto
) -> list[NDArray[np.generic]]:
    """Outputs of one node whose inputs are known."""
    names = [name for name in node.input if name]
    graph = onnx.helper.make_graph(
        [node],
        "constant",
        [
            onnx.helper.make_tensor_value_info(name, values[name].data_type, values[name].dims)
            for name in names
        ],
        [onnx.helper.make_value_info(name, onnx.TypeProto()) for name in node.output],
    )
    single = onnx.helper.make_model(
        graph, opset_imports=model.opset_import, ir_version=model.ir_version
    )
    feeds = {name: numpy_helper.to_array(values[name]) for name in names}
    results = ReferenceEvaluator(single).run(None, feeds)
    return [np.asarray(result) for result in results]
