"""A small PropNet with every part of the large one and random weights, saved and exported once."""

from __future__ import annotations

import atexit
import functools
import shutil
import tempfile
from pathlib import Path

import torch

from export.run import export
from model.config import PropNetConfig
from model.network.propnet import PropNet
from model.weights import Metadata, save_network

CONFIG = PropNetConfig(stacks=2, channels=16, depth=1)
SIZE = 64


def with_statistics(network: PropNet) -> PropNet:
    """The network with statistics as training leaves them: not all 0 and 1."""
    for name, value in network.named_buffers():
        if name.endswith("running_mean"):
            value.normal_(0, 0.1)
        if name.endswith("running_var"):
            value.uniform_(0.5, 2)
    return network


def save_small(path: Path, seed: int = 0) -> Path:
    """Write the weights file."""
    torch.manual_seed(seed)
    network = with_statistics(PropNet(CONFIG).eval())
    save_network(path, network, Metadata("small", CONFIG, SIZE, "random weights"))
    return path


@functools.cache
def exported_small() -> tuple[Path, Path]:
    """The weights file and the ONNX file, made by the real command once for all tests."""
    folder = Path(tempfile.mkdtemp(prefix="propnet-small-"))
    atexit.register(shutil.rmtree, folder)
    weights = save_small(folder / "small.safetensors")
    export(weights=str(weights), out=folder / "small.onnx")
    return weights, folder / "small.onnx"
