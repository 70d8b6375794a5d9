"""What runs the network that is scored, and where the scores go: checked before any work."""

from __future__ import annotations

import os
from pathlib import Path

from model.errors import InputError
from model.files import reserve_output
from tracker.engines.base import Engine
from tracker.engines.create import create_engine
from tracker.engines.torch import open_torch_engine

ENGINES = ("torch", "openvino", "onnxruntime")


def open_engine(engine: str, weights: str, device: str) -> Engine:
    """Open a network by one of `ENGINES`.

    Raises:
        InputError: a device is named for an engine that has none, or the weights are unusable.
    """
    if engine == "torch":
        return open_torch_engine(weights, device)
    if device != "auto":
        raise InputError(f"--device is for the torch engine; {engine} runs on the processor.")
    return create_engine(engine, weights)


def check_outputs(json_file: Path | None, plot: Path | None) -> None:
    """Find out that a result cannot be written before it is computed; see `reserve_output`.

    Args:
        json_file: the figures, if wanted.
        plot: the picture, if wanted.

    Raises:
        InputError: one of them cannot be written, or the picture does not end in .png.
    """
    if plot is not None and plot.suffix.lower() != ".png":
        raise InputError(f"--plot {plot}: pictures are written as .png; choose such a name.")
    for path in (json_file, plot):
        if path is None:
            continue
        parent = next(folder for folder in path.absolute().parents if folder.exists())
        if not parent.is_dir() or not os.access(parent, os.W_OK):
            raise InputError(f"cannot write {path}: no permission in {parent}.")
        reserve_output(path, overwrite=True)
