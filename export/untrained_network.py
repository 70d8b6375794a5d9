"""Networks with random weights: as fast as trained ones, and there before any training."""

from __future__ import annotations

from pathlib import Path

import onnx
import torch

from export.onnx_graph import build_graph
from model.config import VARIANTS
from model.errors import InputError
from model.network.propnet import PropNet
from model.weights import Metadata, load_network, save_network


def make_untrained(name: str, size: int, folder: Path) -> Path:
    """Write a network with random weights, and export it.

    Args:
        name: of a variant, "propnet".
        size: side of its input, pixels.
        folder: gets NAME.safetensors and NAME.onnx.

    Returns:
        The weights file.

    Raises:
        InputError: no such network, or an impossible size.
    """
    if name not in VARIANTS:
        raise InputError(f"--untrained needs --weights with one of {', '.join(VARIANTS)}.")
    config = VARIANTS[name]
    if not config.fits(size):
        raise InputError(f"--input-size {size} must be a multiple of {config.step}.")
    torch.manual_seed(0)
    network = PropNet(config).eval()
    path = folder / f"{name}.safetensors"
    save_network(path, network, Metadata(name, config, size, "random weights"))
    onnx.save_model(build_graph(*load_network(str(path)), size), path.with_suffix(".onnx"))
    return path
