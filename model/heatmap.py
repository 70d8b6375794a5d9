"""Heatmaps: encoding of landmarks and boundaries; `model.decoder` inverts it.

A heatmap has `STRIDE` times fewer pixels per side than the crop. Both count from the centre of
their top left pixel, so heatmap h and crop u are related by u + 0.5 = STRIDE (h + 0.5). Targets
are not rounded to the heatmap's cells; the decoder relies on it.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

# Crop pixels per heatmap pixel (paper: 256 x 256 input, 64 x 64 maps).
STRIDE = 4
# Side of a crop, pixels, that no network of ours comes near: damaged files say anything.
LARGEST_CROP = 4096
# Standard deviation of a landmark's Gaussian in heatmap pixels: the value of the hourglass
# literature for 64 x 64 maps. Narrower ones leave a decoder too few pixels.
LANDMARK_SIGMA = 1.5
# Blur of a boundary line in heatmap pixels: keeps neighbouring lids and lips apart at 64 x 64.
BOUNDARY_SIGMA = 1.0

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
