"""Heatmaps on which a decoder can go wrong, for everything that claims to be `decode`."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from model.heatmap import encode_landmarks

POINTS = 98


def _peaks(side: int, sigma: float = 1.5) -> np.ndarray:
    """Gaussians anywhere, also centred beyond the border and exactly on cells' centres."""
    rng = np.random.default_rng(5)
    places = rng.uniform(-2, side + 1, (6, POINTS, 2))
    places[:2] = np.rint(places[:2])
    places[3:] = np.rint(2 * places[3:]) / 2  # ties of two and four cells
    return encode_landmarks(places, side, sigma)


def _edges(side: int) -> np.ndarray:
    """One high cell in each of the corners, along the borders and beside them."""
    maps = np.random.default_rng(6).uniform(0, 0.4, (1, POINTS, side, side)).astype(np.float32)
    rows = np.array([0, 0, 0, 1, 1, side - 1, side - 1, side - 2, side // 2, side - 2])
    columns = np.array([0, side - 1, 3, 1, 0, 0, side - 1, side - 1, side // 2, side - 2])
    for k in range(POINTS):
        maps[0, k, rows[k % 10], columns[k % 10]] = 1
    return maps


_rng = np.random.default_rng
_SHAPE = (4, POINTS)
# Case -> its maps [N, 98, side, side] for a side.
_MAKERS: dict[str, Callable[[int], np.ndarray]] = {
    "noise": lambda side: _rng(7).normal(0, 1, (*_SHAPE, side, side)),
    "peaks": _peaks,
    "peaks of a 16-bit network": lambda side: _peaks(side).astype(np.float16),
    "almost flat": lambda side: _peaks(side, 12.0).astype(np.float16),
    "edges": _edges,
    "ties": lambda side: _rng(7).integers(0, 3, (*_SHAPE, side, side)),
    "plateaus": lambda side: np.kron(
        _rng(7).integers(0, 4, (*_SHAPE, side // 4, side // 4)) / 3, np.ones((4, 4))
    ),
    "nothing": lambda side: np.repeat([0.0, -1.0], POINTS * side**2).reshape(2, POINTS, side, side),
}
CASES = tuple(_MAKERS)


def heatmaps(case: str, side: int = 16) -> np.ndarray:
    """[N, 98, side, side], float32, of a case."""
    return np.asarray(_MAKERS[case](side), dtype=np.float32)
