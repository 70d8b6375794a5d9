"""A tiny ONNX file with the interface of an exported network, and random weights."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper

METADATA = {
    "format": "1",
    "name": "tiny",
    "markup": "wflw98",
    "input_size": "64",
    "normalization": "x/127.5-1 RGB",
    "weights_sha256": "ab" * 32,
}


def tiny_onnx(
    path: Path,
    *,
    points: int = 98,
    size: int = 64,
    metadata: dict[str, str] = METADATA,
    output: str = "heatmaps",
    seed: int = 0,
) -> Path:
    """Write the file: average 4 x 4 pixels, then a random 3 x 3 convolution to `points` maps."""
    rng = np.random.default_rng(seed)
    weights = rng.normal(0, 0.3, (points, 3, 3, 3)).astype(np.float32)
    nodes = [
        helper.make_node("AveragePool", ["image"], ["small"], kernel_shape=[4, 4], strides=[4, 4]),
        helper.make_node("Conv", ["small", "weights"], ["maps"], pads=[1, 1, 1, 1]),
        helper.make_node("Sigmoid", ["maps"], [output]),
    ]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [_tensor("image", ["n", 3, size, size])],
        [_tensor(output, ["n", points, size // 4, size // 4])],
        [helper.make_tensor("weights", TensorProto.FLOAT, weights.shape, weights.ravel())],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    for key, value in metadata.items():
        entry = model.metadata_props.add()
        entry.key, entry.value = f"propnet.{key}", value
    onnx.save(model, path)
    return path


def reference(crops: np.ndarray, points: int = 98, seed: int = 0) -> np.ndarray:
    """The same network in plain numpy, float64."""
    rng = np.random.default_rng(seed)
    weights = rng.normal(0, 0.3, (points, 3, 3, 3)).astype(np.float32).astype(np.float64)
    x = np.moveaxis(crops.astype(np.float64) / 127.5 - 1, -1, 1)
    n, c, h, w = x.shape
    small = x.reshape(n, c, h // 4, 4, w // 4, 4).mean(axis=(3, 5))
    padded = np.pad(small, ((0, 0), (0, 0), (1, 1), (1, 1)))
    maps = np.zeros((n, points, h // 4, w // 4))
    for row in range(3):
        for column in range(3):
            part = padded[:, :, row : row + h // 4, column : column + w // 4]
            maps += np.einsum("nchw,kc->nkhw", part, weights[:, :, row, column])
    return 1 / (1 + np.exp(-maps))


def _tensor(name: str, shape: list[Any]) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
