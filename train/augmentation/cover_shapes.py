"""Masks of what covers a face, drawn finer than the crop so that edges are as a camera sees them.

All places and lengths are in pixels of the crop; masks are [S * FINE, S * FINE], uint8.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

# How much finer than the crop.
FINE = 2


def canvas(side: int) -> NDArray[np.uint8]:
    """An empty mask for a crop of a side, pixels."""
    return np.zeros((side * FINE, side * FINE), dtype=np.uint8)


def fixed(points: NDArray[np.float64]) -> NDArray[np.int32]:
    """Points of the crop as OpenCV's drawing wants them: of the fine mask, with 3 binary digits."""
    fine = (points + 0.5) * FINE - 0.5
    # Far outside is as good as a little outside; OpenCV's integers end somewhere.
    return np.rint(np.clip(fine, -4000, 4000) * 8).astype(np.int32)


def ellipse(
    shape: NDArray[np.uint8],
    centre: NDArray[np.float64],
    axes: tuple[float, float],
    angle: float,
    *,
    value: int = 255,
    line: float | None = None,
) -> None:
    """Draw an ellipse: filled with a value, or its outline in a width. Lengths in crop pixels."""
    thick = cv2.FILLED if line is None else max(1, round(line * FINE))
    x, y = fixed(centre).tolist()
    half = [round(8 * FINE * axis) for axis in axes]
    cv2.ellipse(
        shape, (x, y), half, float(np.rad2deg(angle)), 0, 360, value, thick, cv2.LINE_AA, 3
    )  # fmt: skip


def line(
    shape: NDArray[np.uint8], start: NDArray[np.float64], end: NDArray[np.float64], width: float
) -> None:
    """Draw a line with round ends."""
    first, last = fixed(start).tolist(), fixed(end).tolist()
    cv2.line(shape, first, last, 255, max(1, round(width * FINE)), cv2.LINE_AA, 3)


def polygon(shape: NDArray[np.uint8], corners: NDArray[np.float64]) -> None:
    """Fill a polygon, [N, 2] corners."""
    cv2.fillPoly(shape, [fixed(corners)], 255, cv2.LINE_AA, 3)
