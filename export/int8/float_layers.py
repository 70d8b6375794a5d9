"""Which layers stay in floats: those whose rounding moves the landmarks, for what they cost."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray

from export.agreement import Agreement, compare, landmarks_of
from export.int8.qdq_graph import dense_layers, multiplications, restore
from tracker.engines.create import create_engine

# Where a mean distance is as small as between engines in floats, nothing is left to win.
_AIM = 0.05
# A part stays in floats if that takes this much off the mean distance: less is chance on a few
# crops.
_LEAST_GAIN = 0.03
# And this much if it is tried alone, where the others drown its effect.
_LEAST_ALONE = 0.01

# Landmarks [N, K, 2] of a graph on the crops of the choice.
Landmarks = Callable[[onnx.ModelProto], NDArray[np.float64]]


@dataclass(frozen=True)
class Mixed:
    """A quantised graph with some parts in floats.

    Attributes:
        model: the graph.
        agreement: of its landmarks with those in floats, on the crops of the choice.
        before: the same with every part in 8 bits.
        floats: parts in floats.
        share: their share of the multiplications, 0..1.
    """

    model: onnx.ModelProto
    agreement: Agreement
    before: Agreement
    floats: tuple[str, ...]
    share: float


def parts_of(layers: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    """Layers by the module they belong to: "stacks.0.leave", "stacks.0.propagation.merge"."""
    parts: dict[str, list[str]] = {}
    for layer in layers:
        names = layer.split(".")
        depth = 2 if names[0] != "stacks" else 4 if names[2] in ("propagation", "leave") else 3
        parts.setdefault(".".join(names[:depth]), []).append(layer)
    return {part: tuple(names) for part, names in parts.items()}


def choose_parts(
    quantized: onnx.ModelProto,
    floats: onnx.ModelProto,
    landmarks: Landmarks,
    budget: float,
    report: Callable[[str, Agreement], None],
) -> Mixed:
    """Put parts back into floats, those that pay most first.

    Every part is tried alone. Then they are put back one after the other, in the order of what
    they gain for their multiplications; one that gains nothing beside the others stays in 8 bits.

    Args:
        quantized: every dense layer in 8 bits.
        floats: the graph it was made from.
        landmarks: runs a graph.
        budget: largest share of the multiplications in floats, 0..1.
        report: told the distances with a part in floats.
    """
    reference = landmarks(floats)
    parts = parts_of(dense_layers(floats))
    work = _shares(parts, multiplications(floats))

    def measure(chosen: list[str]) -> tuple[onnx.ModelProto, Agreement]:
        layers = [layer for part in chosen for layer in parts[part]]
        model = restore(quantized, floats, layers)
        agreement = compare(reference, landmarks(model))
        report(", ".join(chosen) or "none", agreement)
        return model, agreement

    model, before = measure([])
    best = before
    chosen: list[str] = []
    gains = {part: before.mean - measure([part])[1].mean for part in parts if work[part] <= budget}
    for part in sorted(gains, key=lambda part: gains[part] / work[part], reverse=True):
        used = sum(work[kept] for kept in chosen)
        idle = gains[part] < _LEAST_ALONE * before.mean
        if best.mean <= _AIM or idle or used + work[part] > budget:
            continue
        trial, agreement = measure([*chosen, part])
        if agreement.mean < (1 - _LEAST_GAIN) * best.mean:
            model, best, chosen = trial, agreement, [*chosen, part]
    return Mixed(model, best, before, tuple(chosen), sum(work[part] for part in chosen))


def run_graph(
    model: onnx.ModelProto, engine: str, crops: NDArray[np.uint8], threads: int | None
) -> NDArray[np.float64]:
    """Landmarks [N, K, 2], crop pixels, of a graph with an exported file's metadata."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "graph.onnx"
        onnx.save_model(model, file)
        with closing(create_engine(engine, str(file), threads, keep=False)) as network:
            return landmarks_of(network, crops)


def _shares(parts: Mapping[str, tuple[str, ...]], work: Mapping[str, int]) -> dict[str, float]:
    total = sum(work.values())
    return {part: sum(work[layer] for layer in layers) / total for part, layers in parts.items()}
