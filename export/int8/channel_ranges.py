"""Channels of similar range before quantisation, without changing what a network computes.

A tensor in 8 bits has one scale, so a channel whose values are small next to another's keeps few of
the 256 steps. Between a normalisation and a convolution with only a ReLU in between, a channel can
be divided by any positive number and the convolution's weights for it multiplied by the same, since
relu(x / s) = relu(x) / s.
Which number: the geometric mean of what the activations and what the weights would like, as in
SmoothQuant (Xiao et al., ICML 2023, equation 4 with alpha = 0.5) and cross-layer equalisation
(Nagel et al., ICCV 2019).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import onnx
import onnxruntime as ort
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from export.int8.qdq_graph import groups_of, remove_unused
from model.telemetry import switch_off_events
from tracker.engines.base import normalize
from tracker.engines.onnx_file import INPUT

switch_off_events(ort)

_ALPHA = 0.5
# A channel that is never active has no range, and must not get an endless factor.
_LEAST = 1e-4


@dataclass(frozen=True)
class _Pair:
    """A layer whose output channels can be scaled, and the convolution that reads only them."""

    scaled: onnx.NodeProto
    activation: str
    reader: onnx.NodeProto


def equalize(model: onnx.ModelProto, crops: NDArray[np.uint8]) -> onnx.ModelProto:
    """A copy with equal channels wherever a ReLU's output is read by one convolution.

    Args:
        model: a float graph of `export.int8.qdq_graph.to_floats`.
        crops: [N, S, S, 3]: the ranges of the activations are measured on them.

    Returns:
        A graph that computes the same up to the rounding of floats.
    """
    result = onnx.ModelProto()
    result.CopyFrom(model)
    pairs = tuple(_pairs(result.graph))
    peaks = _peaks(result, [pair.activation for pair in pairs], crops)
    tensors = {tensor.name: tensor for tensor in result.graph.initializer}
    for pair in pairs:
        values = numpy_helper.to_array(tensors[pair.reader.input[1]])
        # The axis of the weights along which channels come in: a depthwise filter has one for each.
        axis = 0 if groups_of(pair.reader) > 1 else 1
        others = tuple(i for i in range(values.ndim) if i != axis)
        reach = np.maximum(np.abs(values).max(axis=others), _LEAST)
        factor = np.maximum(peaks[pair.activation], _LEAST) ** _ALPHA / reach ** (1 - _ALPHA)
        # Only the ratios matter.
        factor = (factor / np.exp(np.log(factor).mean())).astype(np.float32)
        weighed = values * np.expand_dims(factor, others)
        _give(result.graph, tensors, pair.reader, 1, weighed)
        # Scale and shift of a normalisation, weights and bias of a convolution.
        for place in (1, 2):
            scaled = numpy_helper.to_array(tensors[pair.scaled.input[place]])
            shaped = factor.reshape(-1, *[1] * (scaled.ndim - 1))
            _give(result.graph, tensors, pair.scaled, place, scaled / shaped)
    remove_unused(result.graph)
    return result


def _pairs(graph: onnx.GraphProto) -> Iterable[_Pair]:
    makers = {output: node for node in graph.node for output in node.output}
    readers: dict[str, list[onnx.NodeProto]] = {}
    for node in graph.node:
        for name in node.input:
            readers.setdefault(name, []).append(node)
    for node in graph.node:
        if node.op_type != "Relu":
            continue
        scaled = makers[node.input[0]]
        (reader, *others) = readers[node.output[0]]
        alone = not others and len(readers[node.input[0]]) == 1
        fits = scaled.op_type in ("BatchNormalization", "Conv") and len(scaled.input) >= 3
        if alone and fits and reader.op_type == "Conv":
            yield _Pair(scaled, node.output[0], reader)


def _peaks(
    model: onnx.ModelProto, names: list[str], crops: NDArray[np.uint8]
) -> dict[str, NDArray[np.float32]]:
    """Largest value of every channel of some tensors, over all crops."""
    probe = onnx.ModelProto()
    probe.CopyFrom(model)
    graph = probe.graph
    graph.initializer.append(numpy_helper.from_array(np.array([0, 2, 3]), "peak.axes"))
    del graph.output[:]
    for name in names:
        peak = f"{name}.peak"
        graph.node.append(helper.make_node("ReduceMax", [name, "peak.axes"], [peak], keepdims=0))
        graph.output.append(helper.make_tensor_value_info(peak, onnx.TensorProto.FLOAT, None))
    session = ort.InferenceSession(probe.SerializeToString(), providers=["CPUExecutionProvider"])
    peaks = [session.run(None, {INPUT: normalize(crop[None])}) for crop in crops]
    return {
        name: np.max(np.stack(values), axis=0)
        for name, values in zip(names, zip(*peaks, strict=True), strict=True)
    }


def _give(
    graph: onnx.GraphProto,
    tensors: dict[str, onnx.TensorProto],
    node: onnx.NodeProto,
    place: int,
    values: NDArray[np.float32],
) -> None:
    """Give a node a tensor of its own: equal ones are stored once, and others may read it."""
    name = f"{node.output[0]}.{place}"
    tensor = numpy_helper.from_array(np.ascontiguousarray(values), name)
    if name in tensors:
        tensors[name].CopyFrom(tensor)
    else:
        graph.initializer.append(tensor)
        tensors[name] = graph.initializer[-1]
    node.input[place] = name
