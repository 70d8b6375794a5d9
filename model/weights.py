"""Trained weights as safetensors files that say what they are."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from model.confidence import Calibration
from model.config import PropNetConfig
from model.errors import InputError
from model.files import replacing, sha256
from model.heatmap import LARGEST_CROP
from model.network.propnet import PropNet
from model.shape_correction import ShapeCorrection
from model.zoo import find_weights

_FORMAT = "propnet-weights-1"


@dataclass(frozen=True)
class Metadata:
    """What a weights file says about itself.

    Attributes:
        name: for example "propnet-s".
        config: the network.
        input_size: side of the crops it was trained on last, pixels.
        notes: free text: recipe, data, score.
        sha256: SHA-256 of the file, hexadecimal; empty before it is written.
        calibration: what the heights of its peaks mean; None before `python -m train.calibrate`.
        correction: where its labels lie beside its peaks; None without `python -m train.correct`.
    """

    name: str
    config: PropNetConfig
    input_size: int
    notes: str = ""
    sha256: str = ""
    calibration: Calibration | None = None
    correction: ShapeCorrection | None = None


def save_network(
    path: Path, network: PropNet, metadata: Metadata, dtype: torch.dtype = torch.float16
) -> None:
    """Write a network's weights, whole or not at all.

    Args:
        path: a .safetensors file.
        network: what to save.
        metadata: what it is.
        dtype: stored type of floating-point tensors; a tensor whose values it cannot hold (a batch
            variance over 65504 in float16) is stored as it is.

    Raises:
        InputError: the file cannot be written.
    """
    tensors = {
        key: _stored(value, dtype).contiguous().cpu()
        for key, value in network.state_dict().items()
        # Only batch normalisation's cumulative average, which we do not use, reads the counters.
        if not key.endswith("num_batches_tracked")
    }
    text = {
        "format": _FORMAT,
        "name": metadata.name,
        "config": json.dumps(metadata.config.to_dict()),
        "input_size": str(metadata.input_size),
        "notes": metadata.notes,
    }
    if metadata.calibration is not None:
        text["calibration"] = metadata.calibration.to_json()
    if metadata.correction is not None:
        text["correction"] = metadata.correction.text
    _write(path, tensors, text)


def save_calibrated(path: Path, name: str, calibration: Calibration) -> None:
    """Copy a weights file and put a calibration into the copy; the weights stay as they are.

    Args:
        path: the .safetensors file to write; may be the one that is read.
        name: a shipped name or the path of a .safetensors file.
        calibration: replaces the one that the file may have.

    Raises:
        InputError: not such a file, or the copy cannot be written.
    """
    tensors, text = _read(find_weights(name, ".safetensors"))
    _write(path, tensors, {**text, "calibration": calibration.to_json()})


def save_corrected(path: Path, name: str, correction: ShapeCorrection) -> None:
    """Copy a weights file and put a correction of shapes into the copy; see `save_calibrated`."""
    tensors, text = _read(find_weights(name, ".safetensors"))
    _write(path, tensors, {**text, "correction": correction.text})


def _write(path: Path, tensors: dict[str, Tensor], text: dict[str, str]) -> None:
    try:
        with replacing(path) as partial:
            save_file(tensors, partial, metadata=text)
            # safetensors creates files that only their owner can read; weights are for others too.
            partial.chmod(0o644)
    except SafetensorError as error:  # how the library reports a full disk
        raise InputError(f"cannot write {path}: {error}.") from error


def _read(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    try:
        with safe_open(path, framework="pt") as file:
            text = file.metadata() or {}
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        detail = " ".join(str(error).split()).rstrip(".")
        raise InputError(f"{path} is damaged or not a safetensors file: {detail}.") from error
    if text.get("format") != _FORMAT:
        raise InputError(f"{path} holds no PropNet weights (format {text.get('format')!r}).")
    return tensors, text


def _stored(value: Tensor, dtype: torch.dtype) -> Tensor:
    """A tensor in the type in which the file keeps it."""
    if not value.is_floating_point():
        return value
    small = value.to(dtype)
    return value if bool((small.isinf() & value.isfinite()).any()) else small


def load_network(name: str) -> tuple[PropNet, Metadata]:
    """Read a network, ready for inference.

    Args:
        name: a shipped name or the path of a .safetensors file.

    Returns:
        The network in evaluation mode with float32 weights, and what the file says.

    Raises:
        InputError: not found, damaged, not a PropNet file, or weights that do not fit.
    """
    path = find_weights(name, ".safetensors")
    tensors, text = _read(path)
    metadata = _read_metadata(text, path)
    # Without memory for the weights: what a damaged header describes may be huge.
    with torch.device("meta"):
        plan = PropNet(metadata.config)
    expected = {
        key: value.shape
        for key, value in plan.state_dict().items()
        if not key.endswith("num_batches_tracked")
    }
    found = {key: value.shape for key, value in tensors.items()}
    if found != expected:
        wrong = sorted(set(expected) ^ set(found)) or sorted(
            key for key in expected if expected[key] != found[key]
        )
        raise InputError(f"{path} does not fit its own configuration: see {wrong[0]}.")
    network = PropNet(metadata.config)
    network.load_state_dict(tensors, strict=False)
    return network.eval(), metadata


def _read_metadata(text: dict[str, str], path: Path) -> Metadata:
    """What the header of a weights file says."""
    calibration, correction = text.get("calibration"), text.get("correction")
    try:
        config = PropNetConfig.from_dict(json.loads(text["config"]))
        return Metadata(
            name=text["name"],
            config=config,
            input_size=_input_size(text["input_size"], config),
            notes=text.get("notes", ""),
            sha256=sha256(path),
            calibration=Calibration.from_json(calibration) if calibration is not None else None,
            correction=(
                ShapeCorrection.read(correction, config.markup.points)
                if correction is not None
                else None
            ),
        )
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    # Missing keys, text that is no JSON, values of the wrong type.
    except (KeyError, ValueError, TypeError, AttributeError, RecursionError) as error:
        raise InputError(f"{path} is damaged: its header does not describe a PropNet.") from error


def _input_size(text: str, config: PropNetConfig) -> int:
    size = int(text)
    if not config.fits(size) or size > LARGEST_CROP:
        raise ValueError(size)
    return size
