"""PropNet as an ONNX graph."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import onnx
import torch
from onnx import helper, numpy_helper
from torch import Tensor, nn

from model.network.fold import fold
from model.network.propnet import PropNet
from model.weights import Metadata
from tracker.engines.onnx_file import (
    ATTENTION,
    BOUNDARIES,
    CALIBRATION,
    CORRECTION,
    FORMAT,
    INPUT,
    OUTPUT,
    PREFIX,
    markup_text,
)

# The operator set whose Resize, Pad and BatchNormalization every engine in use here reads.
_OPSET = 20


class _Inference(nn.Module):
    """The inference path: last stack's landmark maps, its unused propagation module left out.

    Besides, the maps that it makes on the way, where it makes any: they are there anyway.
    """

    def __init__(self, network: PropNet) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        landmarks, boundaries, attention = self.network.inference(image)
        if boundaries is None or attention is None:
            return (landmarks,)
        return landmarks, boundaries, attention.mean(dim=1)


def build_graph(network: PropNet, metadata: Metadata, input_size: int) -> onnx.ModelProto:
    """Trace a network into an ONNX model: static shapes, dynamic batch, metadata inside.

    Args:
        network: in evaluation mode.
        metadata: of the weights it was loaded from.
        input_size: side S of the input, pixels.

    Returns:
        A model with input "image" [N, 3, S, S], RGB in [-1, 1], and output "heatmaps"
        [N, K, S/4, S/4]; and where the landmarks depend on a propagation module, "boundaries"
        [N, M, S/4, S/4] and "attention" [N, S/4, S/4] (see `tracker.engines.base.Maps`).
    """
    # Two images: a batch of one would be taken for a constant.
    example = torch.zeros(2, 3, input_size, input_size)
    with _quiet_exporter(), torch.inference_mode():
        program = torch.onnx.export(
            _Inference(fold(network, input_size) if network.config.folds else network).eval(),
            (example,),
            dynamo=True,
            opset_version=_OPSET,
            input_names=[INPUT],
            output_names=[OUTPUT, BOUNDARIES, ATTENTION][: 3 if network.has_maps else 1],
            dynamic_shapes={INPUT: {0: torch.export.Dim("batch", min=1)}},
            verbose=False,
        )
    assert program is not None
    model = program.model_proto
    _drop_traces(model)
    _store_half(model)
    values = {
        "format": FORMAT,
        "name": metadata.name,
        "markup": markup_text(metadata.config.markup),
        "input_size": str(input_size),
        "normalization": "RGB, x / 127.5 - 1",
        "weights_sha256": metadata.sha256,
        "notes": metadata.notes,
    }
    if metadata.calibration is not None:
        values[CALIBRATION] = metadata.calibration.to_json()
    if metadata.correction is not None:
        values[CORRECTION] = metadata.correction.text
    helper.set_model_props(model, {PREFIX + key: value for key, value in values.items()})
    onnx.checker.check_model(model, full_check=True)
    return model


def _drop_traces(model: onnx.ModelProto) -> None:
    """Remove the exporter's notes on every node: Python stack traces with paths of this machine."""
    for node in model.graph.node:
        del node.metadata_props[:]
        node.doc_string = ""
    for value in (*model.graph.value_info, *model.graph.initializer):
        del value.metadata_props[:]
    del model.graph.metadata_props[:]


def _store_half(model: onnx.ModelProto) -> None:
    """Store as f16 every weight that f16 holds exactly, and cast it back in the graph.

    Shipped weights are f16, so this halves the file and changes no result: engines fold the casts
    while loading.
    """
    casts = []
    for tensor in model.graph.initializer:
        if tensor.data_type != onnx.TensorProto.FLOAT:
            continue
        values = numpy_helper.to_array(tensor)
        with np.errstate(over="ignore"):
            half = values.astype(np.float16)
        if values.size < 16 or not np.array_equal(half.astype(np.float32), values):
            continue
        name = tensor.name
        tensor.CopyFrom(numpy_helper.from_array(half, f"{name}.half"))
        casts.append(helper.make_node("Cast", [f"{name}.half"], [name], to=onnx.TensorProto.FLOAT))
    nodes = list(model.graph.node)
    del model.graph.node[:]
    model.graph.node.extend(casts + nodes)


@contextmanager
def _quiet_exporter() -> Iterator[None]:
    """Hide the exporter's notes on torchvision and its own future; errors still raise."""
    names = ("torch.onnx", "onnxscript", "onnx_ir")
    levels = {name: logging.getLogger(name).level for name in names}
    for name in names:
        logging.getLogger(name).setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)
