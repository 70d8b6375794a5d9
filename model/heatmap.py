"""Heatmaps: encoding of landmarks and boundaries, and the decoder that inverts it.

A heatmap has `STRIDE` times fewer pixels per side than the crop. Both count from the centre of
their top left pixel, so heatmap h and crop u are related by u + 0.5 = STRIDE (h + 0.5). Targets
are not rounded to the heatmap's cells; the decoder relies on it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

# Crop pixels per heatmap pixel (paper: 256 x 256 input, 64 x 64 maps).
STRIDE = 4
# Standard deviation of a landmark's Gaussian in heatmap pixels: the value of the hourglass
# literature for 64 x 64 maps. Narrower ones leave the decoder's Taylor step too few pixels.
LANDMARK_SIGMA = 1.5
# Blur of a boundary line in heatmap pixels: keeps neighbouring lids and lips apart at 64 x 64.
BOUNDARY_SIGMA = 1.0

Decoder = Literal["dark", "quarter"]
DECODERS: tuple[Decoder, ...] = ("dark", "quarter")

# Responses below this are noise; also keeps the logarithm finite.
FLOOR = 1e-4
# A Hessian whose determinant is not above this is that of a plateau, not of a peak.
DARK_DETERMINANT = 1e-8
# Sub-pixel bits that cv2.polylines accepts.
_SHIFT = 4


def crop_to_heatmap(points: NDArray[np.floating]) -> NDArray[np.float64]:
    """Crop pixels [..., 2] to heatmap pixels."""
    return (np.asarray(points, dtype=np.float64) + 0.5) / STRIDE - 0.5


def heatmap_to_crop(points: NDArray[np.floating]) -> NDArray[np.float64]:
    """Heatmap pixels [..., 2] to crop pixels."""
    return (np.asarray(points, dtype=np.float64) + 0.5) * STRIDE - 0.5


def encode_landmarks(
    points: NDArray[np.floating], side: int, sigma: float = LANDMARK_SIGMA
) -> NDArray[np.float32]:
    """Landmark heatmaps: one Gaussian of height 1 at each landmark's exact position.

    Args:
        points: [..., K, 2] landmarks in heatmap pixels; may lie outside the map.
        side: pixels per side of the map.
        sigma: standard deviation, heatmap pixels.

    Returns:
        [..., K, side, side], 0 to 1.
    """
    grid = np.arange(side, dtype=np.float32)
    offsets = grid - np.asarray(points, dtype=np.float32)[..., None]  # [..., K, 2, side]
    profile = np.exp(-(offsets**2) / np.float32(2 * sigma**2))
    return profile[..., 1, :, None] * profile[..., 0, None, :]


def encode_boundaries(
    points: NDArray[np.floating],
    curves: Sequence[Sequence[int]],
    side: int,
    sigma: float = BOUNDARY_SIGMA,
) -> NDArray[np.float32]:
    """Boundary heatmaps: landmarks joined by straight lines, then a Gaussian blur (section 3.1).

    Args:
        points: [K, 2] landmarks in heatmap pixels.
        curves: M sequences of landmark indices.
        side: pixels per side of the map.
        sigma: standard deviation of the blur, heatmap pixels.

    Returns:
        [M, side, side], 0 to 1; every map that holds a line peaks at 1.
    """
    # Coordinates far outside would overflow the fixed-point format; a line there is invisible.
    fixed = np.rint(np.clip(points, -8 * side, 8 * side) * (1 << _SHIFT)).astype(np.int32)
    maps = np.zeros((len(curves), side, side), dtype=np.float32)
    for target, curve in zip(maps, curves, strict=True):
        canvas = np.zeros((side, side), dtype=np.uint8)
        cv2.polylines(canvas, [fixed[list(curve)]], False, 255, 1, cv2.LINE_AA, _SHIFT)
        cv2.GaussianBlur(canvas.astype(np.float32), (0, 0), sigma, dst=target)
    peaks = maps.max(axis=(1, 2), keepdims=True)
    return np.divide(maps, peaks, out=maps, where=peaks > 0)


def decode(
    heatmaps: NDArray[np.float32], method: Decoder = "dark"
) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
    """Landmark positions with sub-pixel precision.

    `dark` is one Newton step on the logarithm of the response around its maximum (Zhang et al.,
    CVPR 2020), exact for a Gaussian. `quarter` moves the maximum a quarter of a heatmap pixel
    towards its larger neighbour in each direction (the paper's section 4.3).

    Args:
        heatmaps: [..., K, S, S] responses.
        method: "dark" or "quarter".

    Returns:
        points: [..., K, 2] in crop pixels (STRIDE times the heatmap's).
        peaks: [..., K] responses at the maximum.
    """
    *lead, height, width = heatmaps.shape
    maps = heatmaps.reshape(-1, height, width)
    index = np.arange(len(maps))
    best = maps.reshape(len(maps), -1).argmax(axis=1)
    rows, columns = best // width, best % width
    peaks = maps[index, rows, columns]
    # Neighbourhoods are read one pixel inside the border; outside there is nothing to interpolate.
    inside_y = np.clip(rows, 1, height - 2)
    inside_x = np.clip(columns, 1, width - 2)
    steps = np.arange(-1, 2)
    patches = maps[
        index[:, None, None],
        inside_y[:, None, None] + steps[:, None],
        inside_x[:, None, None] + steps,
    ]
    offset = _dark_offset(patches) if method == "dark" else _quarter_offset(patches)
    offset[inside_x != columns, 0] = 0
    offset[inside_y != rows, 1] = 0
    points = np.column_stack([columns, rows]) + offset
    return heatmap_to_crop(points).reshape(*lead, 2), peaks.reshape(lead)


def _dark_offset(patches: NDArray[np.float32]) -> NDArray[np.float64]:
    """[N, 2] step to the maximum of the paraboloid through log [N, 3, 3] patches."""
    logs = np.log(np.maximum(patches.astype(np.float64), FLOOR))
    dx = (logs[:, 1, 2] - logs[:, 1, 0]) / 2
    dy = (logs[:, 2, 1] - logs[:, 0, 1]) / 2
    dxx = logs[:, 1, 2] - 2 * logs[:, 1, 1] + logs[:, 1, 0]
    dyy = logs[:, 2, 1] - 2 * logs[:, 1, 1] + logs[:, 0, 1]
    dxy = (logs[:, 2, 2] - logs[:, 2, 0] - logs[:, 0, 2] + logs[:, 0, 0]) / 4
    determinant = dxx * dyy - dxy**2
    # A maximum has a negative definite Hessian; anything else (plateau, saddle) stays put.
    good = (determinant > DARK_DETERMINANT) & (dxx < 0)
    safe = np.where(good, determinant, 1.0)
    step = np.column_stack([dxy * dy - dyy * dx, dxy * dx - dxx * dy]) / safe[:, None]
    # The maximum of a sampled peak is within a cell of its largest sample.
    return np.where(good[:, None], np.clip(step, -1, 1), 0.0)


def _quarter_offset(patches: NDArray[np.float32]) -> NDArray[np.float64]:
    """[N, 2] quarter step towards the larger neighbour of the centre of [N, 3, 3] patches."""
    dx = np.sign(patches[:, 1, 2] - patches[:, 1, 0])
    dy = np.sign(patches[:, 2, 1] - patches[:, 0, 1])
    return 0.25 * np.column_stack([dx, dy]).astype(np.float64)
