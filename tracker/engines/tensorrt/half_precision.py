"""The network in 16-bit floats, with 32-bit input and output.

TensorRT 11 and TensorRT for RTX take precisions from the graph alone (strongly typed networks), and
TensorRT 10 can: one FP16 graph serves all three.

f16 ends at 65504. Which layers come near is measured on real crops: `measure_peaks` runs the
32-bit network and notes the largest value of every tensor, `overflowing` names the layers to keep
in 32 bits. docs/gpu.md has what was found on the shipped weights.

Not ONNX Runtime's converter (onnxruntime.transformers.float16): it can keep named layers in 32
bits, but leaves the casts behind which weights are stored, 588 of them in propnet-s where this
leaves 3.
"""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime as ort
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from model.telemetry import switch_off_events
from tracker.engines.base import normalize
from tracker.engines.onnx_file import INPUT, OUTPUT

switch_off_events(ort)


def fold_constants(model: onnx.ModelProto) -> onnx.ModelProto:
    """Replace every node whose inputs are all constant by its value.

    Those are the casts behind which weights are stored as f16, and CoordConv's coordinate grids,
    whose squares and square roots would lose digits in f16.

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


_HALF, _FLOAT = TensorProto.FLOAT16, TensorProto.FLOAT
# A quarter of f16's largest number: other faces than the measured ones may give larger values.
LIMIT = 65504 / 4
# Inputs that the operator's definition wants in 32 bits: the scales of a Resize.
_ALWAYS_FLOAT = {("Resize", 2)}
_BATCH = 8


def measure_peaks(model: onnx.ModelProto, crops: NDArray[np.uint8]) -> dict[str, float]:
    """Largest absolute value of every 32-bit tensor that depends on the image.

    Args:
        model: an exported network in 32-bit floats.
        crops: [N, S, S, 3], RGB, faces as the tracker will see them.

    Returns:
        Name of the tensor -> peak over all crops; infinite where a value was not a number.
    """
    watched = onnx.ModelProto()
    watched.CopyFrom(onnx.shape_inference.infer_shapes(fold_constants(model)))
    kinds = _kinds(watched)
    graph = watched.graph
    names = [name for node in graph.node for name in node.output if kinds.get(name) == _FLOAT]
    del graph.output[:]
    graph.output.extend(helper.make_tensor_value_info(name, _FLOAT, None) for name in names)
    options = ort.SessionOptions()
    # Fused layers would hide the tensors between them.
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 3
    session = ort.InferenceSession(watched.SerializeToString(), options)
    peaks = dict.fromkeys(names, 0.0)
    for start in range(0, len(crops), _BATCH):
        values = session.run(names, {INPUT: normalize(crops[start : start + _BATCH])})
        for name, value in zip(names, values, strict=True):
            peak = float(np.abs(value).max())
            peaks[name] = max(peaks[name], peak if np.isfinite(peak) else np.inf)
    return peaks


def overflowing(
    model: onnx.ModelProto, peaks: dict[str, float], limit: float = LIMIT
) -> tuple[str, ...]:
    """Names of the layers that have to stay in 32 bits.

    Args:
        model: the network that was measured.
        peaks: of `measure_peaks`.
        limit: a layer that reads or writes anything beyond is kept in 32 bits, and one whose
            weights are.

    Returns:
        Names of nodes, in order.
    """
    model = fold_constants(model)
    large = {name for name, peak in peaks.items() if peak > limit}
    for tensor in model.graph.initializer:
        values = numpy_helper.to_array(tensor)
        if tensor.data_type == _FLOAT and values.size and np.abs(values).max() > limit:
            large.add(tensor.name)
    return tuple(
        node.name for node in model.graph.node if large.intersection((*node.input, *node.output))
    )


def to_half(model: onnx.ModelProto, keep: tuple[str, ...] = ()) -> onnx.ModelProto:
    """Turn a network into 16-bit floats.

    Args:
        model: an exported network in 32-bit floats; not changed.
        keep: names of the nodes that stay in 32 bits.

    Returns:
        The same network with 32-bit input and output, casts where precisions meet, and the
        metadata.

    Raises:
        ValueError: `keep` names a node that does not exist.
    """
    model = onnx.shape_inference.infer_shapes(fold_constants(model))
    unknown = set(keep) - {node.name for node in model.graph.node}
    if unknown:
        raise ValueError(f"no such nodes: {', '.join(sorted(unknown))}")
    return _Halver(model, frozenset(keep)).run()


class _Halver:
    """One pass over the nodes of a graph, in order, which rewrites each for its precision."""

    def __init__(self, model: onnx.ModelProto, keep: frozenset[str]) -> None:
        self._model = model
        self._keep = keep
        self._kinds = _kinds(model)
        self._weights = {t.name: t for t in model.graph.initializer}
        # Float tensors by name -> the precision they have in the new graph.
        self._now: dict[str, int] = {INPUT: _FLOAT}
        self._nodes: list[onnx.NodeProto] = []
        self._stored: dict[str, onnx.TensorProto] = {}

    def run(self) -> onnx.ModelProto:
        for node in self._model.graph.node:
            self._rewrite(node, _FLOAT if node.name in self._keep else _HALF)
        self._finish()
        graph = self._model.graph
        del graph.node[:], graph.initializer[:], graph.value_info[:]
        graph.node.extend(self._nodes)
        graph.initializer.extend(self._stored.values())
        onnx.checker.check_model(self._model, full_check=True)
        return self._model

    def _rewrite(self, node: onnx.NodeProto, kind: int) -> None:
        new = onnx.NodeProto()
        new.CopyFrom(node)
        if node.op_type == "BatchNormalization":
            self._plain_scale(new)
        if node.op_type == "Cast":
            for attribute in new.attribute:
                if attribute.name == "to" and attribute.i == _FLOAT:
                    attribute.i = kind
        for i, name in enumerate(new.input):
            if self._kinds.get(name) == _FLOAT:
                wanted = _FLOAT if (node.op_type, i) in _ALWAYS_FLOAT else kind
                new.input[i] = self._as(name, wanted)
            elif name in self._weights:
                self._stored[name] = self._weights[name]
        for name in new.output:
            if self._kinds.get(name) == _FLOAT:
                self._now[name] = kind
        self._nodes.append(new)

    def _as(self, name: str, kind: int) -> str:
        """Name of a float tensor in a precision; adds the cast or the converted weights."""
        if name not in self._weights and self._now[name] == kind:
            return name
        other = f"{name}.{'f16' if kind == _HALF else 'f32'}"
        if other in self._now:
            return other
        self._now[other] = kind
        if name in self._weights:
            values = numpy_helper.to_array(self._weights[name])
            if kind == _HALF:
                values = values.astype(np.float16)
            self._stored[other] = numpy_helper.from_array(values, other)
        else:
            self._nodes.append(helper.make_node("Cast", [name], [other], f"cast.{other}", to=kind))
        return other

    def _plain_scale(self, node: onnx.NodeProto) -> None:
        """Write a batch normalisation as scale and shift: a variance may not fit into f16."""
        scale, shift, mean, variance = (
            numpy_helper.to_array(self._weights[name]).astype(np.float64) for name in node.input[1:]
        )
        epsilon = next((a.f for a in node.attribute if a.name == "epsilon"), 1e-5)
        factor = scale / np.sqrt(variance + epsilon)
        plain = {
            "scale": factor,
            "shift": shift - mean * factor,
            "mean": np.zeros_like(mean),
            "variance": np.ones_like(mean),
        }
        for i, (part, values) in enumerate(plain.items(), start=1):
            name = f"{node.output[0]}.{part}"
            self._weights[name] = numpy_helper.from_array(values.astype(np.float32), name)
            self._kinds[name] = _FLOAT
            node.input[i] = name
        del node.attribute[:]
        node.attribute.append(helper.make_attribute("epsilon", 0.0))

    def _finish(self) -> None:
        """Give the output its name and its 32 bits."""
        if self._now[OUTPUT] == _FLOAT:
            return
        inner = f"{OUTPUT}.f16"
        for node in self._nodes:
            for names in (node.input, node.output):
                for i, name in enumerate(names):
                    if name == OUTPUT:
                        names[i] = inner
        self._nodes.append(helper.make_node("Cast", [inner], [OUTPUT], f"cast.{OUTPUT}", to=_FLOAT))


def _kinds(model: onnx.ModelProto) -> dict[str, int]:
    """Element type of every tensor of a graph whose types were inferred."""
    graph = model.graph
    kinds = {
        value.name: value.type.tensor_type.elem_type
        for value in (*graph.input, *graph.value_info, *graph.output)
    }
    return kinds | {tensor.name: tensor.data_type for tensor in graph.initializer}
