"""How far the decoded points of two engines lie apart on the same crops."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.decoder import DEFAULT_DECODER, decode
from tracker.engines.base import PointEngine

# Crops per call: bounds the memory of the heatmaps (1.6 MB each at 98 points and 256 pixels).
_BATCH = 8

Run = Callable[[NDArray[np.uint8]], NDArray[np.float32]]


@dataclass(frozen=True)
class Agreement:
    """Distances between two engines' landmarks, in pixels of the crop.

    Attributes:
        mean: over all landmarks of all crops.
        p99: 99th percentile.
        worst: largest.
        crops: number of crops compared.
    """

    mean: float
    p99: float
    worst: float
    crops: int

    def __str__(self) -> str:
        return (
            f"mean {self.mean:.4f}, 99th percentile {self.p99:.4f}, worst {self.worst:.4f} px "
            f"over {self.crops} crops"
        )


def landmarks_of(run: Run, crops: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Decoded landmarks [N, K, 2], crop pixels, of crops [N, S, S, 3]."""
    parts = [decode(run(crops[i : i + _BATCH]))[0] for i in range(0, len(crops), _BATCH)]
    return np.concatenate(parts)


def device_landmarks_of(engine: PointEngine, crops: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Landmarks [N, K, 2], crop pixels, as the engine decodes them itself."""
    parts = [
        engine.start(crops[i : i + _BATCH], DEFAULT_DECODER)()[0]
        for i in range(0, len(crops), _BATCH)
    ]
    return np.concatenate(parts)


def compare(reference: NDArray[np.float64], other: NDArray[np.float64]) -> Agreement:
    """Agreement of two sets of landmarks [N, K, 2]; not-a-number counts as infinitely far."""
    distance = np.linalg.norm(reference - other, axis=-1)
    distance = np.where(np.isfinite(distance), distance, np.inf)
    return Agreement(
        float(distance.mean()),
        # Interpolating between finite and infinite values would give no number.
        float(np.percentile(distance, 99, method="higher")),
        float(distance.max()),
        len(distance),
    )
