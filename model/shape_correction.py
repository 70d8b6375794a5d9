"""Where labels lie beside what a network's heatmaps say, as far as the shape of the face tells.

A network that learns from several sources, whose labels do not quite mean the same points, stands
between them; and it places every point by what it sees around it, though labels hang together: the
pupil lies in the middle of the lids, a point of the jaw half-way between its neighbours. What is
common to such errors is a linear function of the whole face's shape. `python -m train.correct` fits
it once for given weights; it uses points only, so it is the same on every engine.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from functools import cached_property
from math import isqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

# How numbers are stored: weights are hundredths, places about one; 0.1 % of them is nothing.
_STORED = np.dtype("<f2")


def align(
    points: NDArray[np.floating], mean: NDArray[np.complexfloating[Any, Any]]
) -> tuple[NDArray[np.complex128], NDArray[np.complex128]]:
    """Shift, turn and scale shapes to lie on a mean shape, by least squares (Procrustes).

    Args:
        points: [..., K, 2].
        mean: [K], x + iy, its mean 0, not all 0.

    Returns:
        The shapes so moved, [..., K], x + iy; and by which complex number [..., 1] each has to be
        multiplied to have its own size and turn again. A shape without size (all points in one
        place) becomes 0, and its number is 0.
    """
    places = np.ascontiguousarray(points, dtype=np.float64).view(np.complex128)[..., 0]
    places = places - places.mean(axis=-1, keepdims=True)
    turn = (places @ mean.conj() / np.vdot(mean, mean).real)[..., None]
    return places / np.where(turn == 0, 1, turn), np.asarray(turn, dtype=np.complex128)


def plain(shapes: NDArray[np.complex128]) -> NDArray[np.float64]:
    """[..., K] complex numbers as [..., 2K] real ones: x and y of each point in turn."""
    return np.ascontiguousarray(shapes).view(np.float64)


@dataclass(frozen=True)
class ShapeCorrection:
    """A linear map from the shape that a network sees to where its labels have the points.

    Attributes:
        text: base64 of [2K + 2, 2K] little-endian f16 numbers: the mean shape (x and y of each
            point in turn, of any size, around 0), the common move of each point, and the weights by
            which a shape's distance from the mean, row by row, moves points; all in the mean
            shape's frame.

    Raises:
        ValueError: the text is nothing of that kind.
    """

    text: str

    def __post_init__(self) -> None:
        self._tables  # noqa: B018 (checks the text)

    @classmethod
    def of(
        cls,
        mean: NDArray[np.floating],
        moves: NDArray[np.floating],
        weights: NDArray[np.floating],
    ) -> ShapeCorrection:
        """From its numbers: mean shape [2K], common moves [2K], weights [2K, 2K]; stored as f16."""
        table = np.vstack([mean, moves, weights]).astype(_STORED)
        return cls(base64.b64encode(table.tobytes()).decode("ascii"))

    @classmethod
    def read(cls, text: str, points: int) -> ShapeCorrection:
        """From the text in a file whose network has so many landmarks.

        Raises:
            ValueError: it is none, or that of a network with other landmarks.
        """
        correction = cls(text)
        if correction.points != points:
            raise ValueError(f"a correction of {correction.points} points instead of {points}")
        return correction

    @property
    def points(self) -> int:
        """Number of landmarks K."""
        return len(self._tables[0]) // 2

    def __call__(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Move points to where labels have them.

        Where the face lies, how large it is and how it is turned makes no difference.

        Args:
            points: [..., K, 2], of whole faces.

        Returns:
            [..., K, 2]. Points that all coincide stay as they are.
        """
        mean, moves, weights = self._tables
        shapes, turn = align(points, mean.view(np.complex128))
        moved = (plain(shapes) - mean) @ weights + moves
        return points + plain(moved.view(np.complex128) * turn).reshape(points.shape)

    @cached_property
    def _tables(self) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Mean shape, common moves and weights."""
        try:
            data = base64.b64decode(self.text, validate=True)
        except (binascii.Error, ValueError) as error:
            raise ValueError(f"no shape correction: {error}") from error
        count, rest = divmod(len(data), _STORED.itemsize)
        width = isqrt(count + 1) - 1  # width * (width + 2) numbers
        if rest or width * (width + 2) != count or width % 2 or width < 4:
            raise ValueError("no shape correction: the table has no such size")
        table = np.frombuffer(data, _STORED).astype(np.float64).reshape(width + 2, width)
        if not np.isfinite(table).all() or not table[0].any():
            raise ValueError("no shape correction: a number is infinite, or there is no mean shape")
        return table[0], table[1], table[2:]
