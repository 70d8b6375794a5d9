"""OpenVINO's reading of a .tflite detector, as the nodes and weights of an ONNX graph."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import openvino as ov
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from model.errors import InputError
from tracker.detection.blazeface import PIXELS


class DetectorGraph:
    """Collects ONNX nodes, one after the other.

    Attributes:
        nodes: so far.
        weights: initialisers so far.
        results: names of tensors, by the name of OpenVINO's result node.
    """

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []
        self.results: dict[str, str] = {}
        # By the name of OpenVINO's node: a constant's value, or the name of a tensor.
        self._constants: dict[str, NDArray[Any]] = {}
        self._names: dict[str, str] = {}

    def add(self, node: ov.Node) -> None:
        """Take the next node, in topological order."""
        kind, name = node.get_type_name(), node.get_name()
        sources = [port.get_source_output().get_node() for port in node.inputs()]
        inputs = [source.get_name() for source in sources]
        if kind == "Constant":
            self._constants[name] = np.array(node.get_data())
        elif sources and all(source in self._constants for source in inputs):
            self._constants[name] = _folded(kind, [self._constants[i] for i in inputs], node)
        elif kind == "Parameter":
            self._names[name] = self._normalized()
        elif kind == "Result":
            self.results[name] = self._names[inputs[0]]
        else:
            make = _WRITERS.get(kind)
            if make is None:
                raise InputError(f"the operator {kind} is not known here.")
            self._names[name] = make(self, node, inputs)

    def _normalized(self) -> str:
        cast = self.node("Cast", [PIXELS], to=TensorProto.FLOAT)
        scaled = self.node("Mul", [cast, self.weight(np.float32(1 / 127.5), exact=True)])
        return self.node("Sub", [scaled, self.weight(np.float32(1), exact=True)])

    def node(self, kind: str, inputs: list[str], **attributes: Any) -> str:
        """Append a node; gives the name of its output."""
        name = f"{kind.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [name], name, **attributes))
        return name

    def weight(self, value: NDArray[Any] | np.generic, *, exact: bool = False) -> str:
        """Append an initialiser; real ones that 16 bits hold are stored in them."""
        name = f"weight_{len(self.weights)}"
        array = np.asarray(value)
        half = array.astype(np.float16) if array.dtype == np.float32 and not exact else None
        if half is None or not np.array_equal(half.astype(np.float32), array):
            self.weights.append(numpy_helper.from_array(array, name))
            return name
        self.weights.append(numpy_helper.from_array(half, name))
        return self.node("Cast", [name], to=TensorProto.FLOAT)

    def constant(self, name: str) -> NDArray[Any]:
        """Value of an input that must be a constant."""
        if name not in self._constants:
            raise InputError(f"{name} is not a constant, as a detector's would be.")
        return self._constants[name]

    def tensor(self, name: str) -> str:
        """Name of an input that is computed or a constant."""
        return self._names[name] if name in self._names else self.weight(self._constants[name])

    def integers(self, values: NDArray[Any] | list[int]) -> str:
        """An initialiser of whole numbers."""
        return self.weight(np.asarray(values, dtype=np.int64))


def _folded(kind: str, values: list[NDArray[Any]], node: ov.Node) -> NDArray[Any]:
    """An operator on constants."""
    if kind == "Convert":
        return values[0].astype(np.float32)
    if kind in ("Unsqueeze", "Reshape"):
        return values[0].reshape(node.output(0).shape)
    if kind == "Transpose":
        return values[0].transpose(values[1])
    raise InputError(f"the operator {kind} on constants is not known here.")


def _convolution(graph: DetectorGraph, node: ov.Node, inputs: list[str]) -> str:
    attributes = node.get_attributes()
    weights = graph.constant(inputs[1])
    groups = 1
    if node.get_type_name() == "GroupConvolution":
        groups = weights.shape[0]
        weights = weights.reshape(-1, *weights.shape[2:])
    return graph.node(
        "Conv",
        [graph.tensor(inputs[0]), graph.weight(weights)],
        strides=attributes["strides"],
        dilations=attributes["dilations"],
        pads=[*attributes["pads_begin"], *attributes["pads_end"]],
        group=groups,
    )


def _pad(graph: DetectorGraph, node: ov.Node, inputs: list[str]) -> str:
    if node.get_attributes()["pad_mode"] != "constant":
        raise InputError("padding with anything but zeros is not known here.")
    pads = np.concatenate([graph.constant(inputs[1]), graph.constant(inputs[2])])
    return graph.node("Pad", [graph.tensor(inputs[0]), graph.integers(pads)])


def _max_pool(graph: DetectorGraph, node: ov.Node, inputs: list[str]) -> str:
    attributes = node.get_attributes()
    return graph.node(
        "MaxPool",
        [graph.tensor(inputs[0])],
        kernel_shape=attributes["kernel"],
        strides=attributes["strides"],
        pads=[*attributes["pads_begin"], *attributes["pads_end"]],
    )


def _resize(graph: DetectorGraph, node: ov.Node, inputs: list[str]) -> str:
    attributes = node.get_attributes()
    if attributes["mode"] != "linear_onnx" or attributes["antialias"]:
        raise InputError(f"the resizing {attributes['mode']} is not known here.")
    return graph.node(
        "Resize",
        [graph.tensor(inputs[0]), "", "", graph.integers(node.output(0).shape)],
        mode="linear",
        coordinate_transformation_mode=attributes["coordinate_transformation_mode"],
    )


def _depth_to_space(graph: DetectorGraph, node: ov.Node, inputs: list[str]) -> str:
    attributes = node.get_attributes()
    mode = {"blocks_first": "DCR", "depth_first": "CRD"}[attributes["mode"]]
    size = attributes["block_size"]
    return graph.node("DepthToSpace", [graph.tensor(inputs[0])], blocksize=size, mode=mode)


def _transpose(graph: DetectorGraph, node: ov.Node, inputs: list[str]) -> str:
    order = [int(axis) for axis in graph.constant(inputs[1])]
    return graph.node("Transpose", [graph.tensor(inputs[0])], perm=order)


def _reshape(graph: DetectorGraph, node: ov.Node, inputs: list[str]) -> str:
    shape = graph.integers(node.output(0).shape)
    return graph.node("Reshape", [graph.tensor(inputs[0]), shape])


def _concat(graph: DetectorGraph, node: ov.Node, inputs: list[str]) -> str:
    axis = node.get_attributes()["axis"]
    return graph.node("Concat", [graph.tensor(name) for name in inputs], axis=axis)


def _same(graph: DetectorGraph, node: ov.Node, inputs: list[str]) -> str:
    """A conversion to what it is already."""
    if node.input(0).get_element_type() != node.output(0).get_element_type():
        raise InputError("a conversion between computed numbers is not known here.")
    return graph.tensor(inputs[0])


def _plain(kind: str) -> Any:
    def write(graph: DetectorGraph, node: ov.Node, inputs: list[str]) -> str:
        del node
        return graph.node(kind, [graph.tensor(name) for name in inputs])

    return write


_WRITERS: dict[str, Any] = {
    "Add": _plain("Add"),
    "Relu": _plain("Relu"),
    "Concat": _concat,
    "Convert": _same,
    "Convolution": _convolution,
    "DepthToSpace": _depth_to_space,
    "GroupConvolution": _convolution,
    "Interpolate": _resize,
    "MaxPool": _max_pool,
    "Pad": _pad,
    "Reshape": _reshape,
    "Transpose": _transpose,
}
