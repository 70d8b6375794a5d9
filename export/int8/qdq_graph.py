"""Exported graphs before and after quantisation.

Quantised graphs are in the QDQ form that ONNX Runtime and OpenVINO both read: a layer in 8 bits is
a convolution whose input comes through QuantizeLinear and DequantizeLinear, and whose weights are
int8 numbers through DequantizeLinear.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from math import prod

import numpy as np
import onnx
from onnx import numpy_helper

_WEIGHT = ".weight"
_MODULE = "network."


def to_floats(model: onnx.ModelProto) -> onnx.ModelProto:
    """A copy with weights as 32-bit initializers, and convolutions named after their layers.

    Exported files store weights in f16 behind Cast nodes, which a quantiser takes for activations.

    Args:
        model: as `export.onnx_graph.build_graph` makes it.
    """
    result = onnx.ModelProto()
    result.CopyFrom(model)
    graph = result.graph
    stored = {tensor.name: tensor for tensor in graph.initializer}
    nodes = []
    for node in graph.node:
        tensor = stored.get(node.input[0]) if node.op_type == "Cast" else None
        if tensor is None:
            nodes.append(node)
            continue
        values = numpy_helper.to_array(tensor).astype(np.float32)
        tensor.CopyFrom(numpy_helper.from_array(values, node.output[0]))
    seen: Counter[str] = Counter()
    for node in nodes:
        if node.op_type == "Conv":
            name = node.input[1].removeprefix(_MODULE).removesuffix(_WEIGHT)
            # Blur filters of the same size share one tensor.
            node.name = f"{name}#{seen[name]}" if seen[name] else name
            seen[name] += 1
    _replace_nodes(graph, nodes)
    return result


def dense_layers(model: onnx.ModelProto) -> tuple[str, ...]:
    """Names of the convolutions worth 8 bits, in the order of the graph.

    Depthwise ones stay in floats: there are few multiplications in them. Blur filters are read by
    every later layer, and the views of the blocks for processors take longer in 8 bits (OpenVINO,
    with VNNI, `propnet-xs` on one thread: 2.5 ms instead of 2.1).
    """
    return tuple(
        node.name for node in model.graph.node if node.op_type == "Conv" and groups_of(node) == 1
    )


def multiplications(model: onnx.ModelProto) -> dict[str, int]:
    """Multiply-accumulates of every convolution for one image.

    Args:
        model: a float graph of `to_floats`.
    """
    inferred = onnx.shape_inference.infer_shapes(model)
    sides = {
        value.name: [dim.dim_value for dim in value.type.tensor_type.shape.dim]
        for value in (*inferred.graph.value_info, *inferred.graph.output)
    }
    weights = {tensor.name: list(tensor.dims) for tensor in model.graph.initializer}
    return {
        node.name: prod(weights[node.input[1]]) * prod(sides[node.output[0]][2:])
        for node in model.graph.node
        if node.op_type == "Conv"
    }


def restore(
    quantized: onnx.ModelProto, floats: onnx.ModelProto, layers: Collection[str]
) -> onnx.ModelProto:
    """A copy of a quantised graph with some layers back in floats.

    Args:
        quantized: made from `floats`.
        floats: the graph of `to_floats`.
        layers: names of convolutions.
    """
    result = onnx.ModelProto()
    result.CopyFrom(quantized)
    graph = result.graph
    makers = {output: node for node in graph.node for output in node.output}
    sources = {node.name: node for node in floats.graph.node}
    tensors = {tensor.name: tensor for tensor in floats.graph.initializer}
    present: set[str] = set()
    for node in graph.node:
        if node.name not in layers:
            continue
        dequantize = makers.get(node.input[0])
        if dequantize is not None and dequantize.op_type == "DequantizeLinear":
            node.input[0] = makers[dequantize.input[0]].input[0]
        for place, name in enumerate(sources[node.name].input[1:], start=1):
            # A new name: the quantiser corrects biases under their old one.
            node.input[place] = f"{name}.float"
            if name not in present:
                graph.initializer.append(tensors[name])
                graph.initializer[-1].name = node.input[place]
                present.add(name)
    remove_unused(graph)
    return result


def remove_unused(graph: onnx.GraphProto) -> None:
    """Drop nodes and initializers that no output depends on, and notes on shapes."""
    used = {output.name for output in graph.output}
    nodes = []
    for node in reversed(graph.node):
        if used.intersection(node.output):
            nodes.append(node)
            used.update(node.input)
    _replace_nodes(graph, nodes[::-1])
    tensors = [tensor for tensor in graph.initializer if tensor.name in used]
    del graph.initializer[:]
    graph.initializer.extend(tensors)
    del graph.value_info[:]


def groups_of(node: onnx.NodeProto) -> int:
    """Into how many groups a convolution splits its channels: 1, or all apart (depthwise)."""
    return next((attribute.i for attribute in node.attribute if attribute.name == "group"), 1)


def _replace_nodes(graph: onnx.GraphProto, nodes: list[onnx.NodeProto]) -> None:
    del graph.node[:]
    graph.node.extend(nodes)
