"""The decoder: landmarks from heatmaps, with sub-pixel precision."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from model.heatmap import LANDMARK_SIGMA, heatmap_to_crop

Decoder = Literal["centroid", "dark", "quarter"]
DECODERS: tuple[Decoder, ...] = ("centroid", "dark", "quarter")
# Most accurate on the dev faces, and no less steady than the others (docs/results.md).
DEFAULT_DECODER: Decoder = "centroid"

# Cells on each side of the largest one that the centroid reads: more change nothing.
REACH = 3
# Standard deviation of the centroid's window, heatmap pixels: wide enough for the blurred peaks of
# uncertain landmarks, narrow enough to leave out what lies beside a peak. 1.5 to 3 are alike.
WINDOW = 2.0
# A Gaussian window draws the centroid of a Gaussian peak towards itself by the same share each
# time. With this factor on the step one reaches the centre of a peak of the targets' width.
GAIN = 1 + LANDMARK_SIGMA**2 / (2 * WINDOW**2)
# Steps: the second corrects what cells are too coarse for; a third moves no landmark on average.
STEPS = 2

# Responses below this are noise to the logarithm; also keeps it finite.
FLOOR = 1e-4
# A Hessian whose determinant is not above this is that of a plateau, not of a peak.
DARK_DETERMINANT = 1e-8


def decode(
    heatmaps: NDArray[np.float32], method: Decoder = DEFAULT_DECODER
) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
    """Landmark positions with sub-pixel precision.

    `centroid` is that of the squared response under a Gaussian window, which moves from the
    maximum to the centroid (Bertin & Arnouts, SExtractor, 1996: "windowed positions"). It reads
    more cells than the others, so noise of single ones moves it less. `dark` is one Newton step on
    the logarithm of the response around its maximum (Zhang et al., CVPR 2020), exact for a
    Gaussian. `quarter` moves the maximum a quarter of a heatmap pixel towards its larger neighbour
    in each direction (the paper's section 4.3).

    Args:
        heatmaps: [..., K, S, S] responses.
        method: "centroid", "dark" or "quarter".

    Returns:
        points: [..., K, 2] in crop pixels (STRIDE times the heatmap's).
        peaks: [..., K] responses at the maximum.
    """
    *lead, height, width = heatmaps.shape
    maps = heatmaps.reshape(-1, height, width)
    best = maps.reshape(len(maps), -1).argmax(axis=1)
    rows, columns = best // width, best % width
    peaks = maps[np.arange(len(maps)), rows, columns]
    if method == "centroid":
        offset = _centroid_offset(maps, rows, columns, peaks)
    else:
        offset = _neighbour_offset(maps, rows, columns, method)
    points = np.column_stack([columns, rows]) + offset
    return heatmap_to_crop(points).reshape(*lead, 2), peaks.reshape(lead)


def _centroid_offset(
    maps: NDArray[np.float32],
    rows: NDArray[np.intp],
    columns: NDArray[np.intp],
    peaks: NDArray[np.float32],
) -> NDArray[np.float64]:
    """[N, 2] from the maxima of [N, H, W] maps to windowed centroids, at most `REACH` cells."""
    height, width = maps.shape[1:]
    around = np.arange(-REACH, REACH + 1)
    y, x = rows[:, None] + around, columns[:, None] + around
    # Beside the border as far on one side as on the other: half a peak has its centroid elsewhere.
    half_y = np.minimum(rows, height - 1 - rows)[:, None]
    half_x = np.minimum(columns, width - 1 - columns)[:, None]
    seen_y, seen_x = np.abs(around) <= half_y, np.abs(around) <= half_x
    y, x = np.where(seen_y, y, 0), np.where(seen_x, x, 0)
    patches = maps[np.arange(len(maps))[:, None, None], y[:, :, None], x[:, None, :]]
    # Below zero is no evidence; where nothing is above, the maximum stays where it is.
    positive = peaks > 0
    patches = np.maximum(patches, 0) / np.where(positive, peaks, 1)[:, None, None]
    mass = patches.astype(np.float64) ** 2
    offset = np.zeros((len(maps), 2))
    for _ in range(STEPS):
        window_x, window_y = (
            seen * np.exp(-((around - centre[:, None]) ** 2) / (2 * WINDOW**2))
            for seen, centre in zip((seen_x, seen_y), offset.T, strict=True)
        )
        along_x = window_x * (window_y[:, None, :] @ mass)[:, 0]
        along_y = window_y * (mass @ window_x[:, :, None])[:, :, 0]
        total = along_x.sum(axis=1)
        centroid = np.column_stack([along_x @ around, along_y @ around])
        centroid /= np.where(positive, total, 1)[:, None]
        offset = np.clip(offset + GAIN * (centroid - offset), -REACH, REACH)
    return np.where(positive[:, None], offset, 0.0)


def _neighbour_offset(
    maps: NDArray[np.float32], rows: NDArray[np.intp], columns: NDArray[np.intp], method: Decoder
) -> NDArray[np.float64]:
    """[N, 2] steps from the maxima of [N, H, W] maps by the eight cells around them."""
    height, width = maps.shape[1:]
    # Neighbourhoods are read one pixel inside the border; outside there is nothing to interpolate.
    inside_y = np.clip(rows, 1, height - 2)
    inside_x = np.clip(columns, 1, width - 2)
    steps = np.arange(-1, 2)
    patches = maps[
        np.arange(len(maps))[:, None, None],
        inside_y[:, None, None] + steps[:, None],
        inside_x[:, None, None] + steps,
    ]
    offset = _dark_offset(patches) if method == "dark" else _quarter_offset(patches)
    offset[inside_x != columns, 0] = 0
    offset[inside_y != rows, 1] = 0
    return offset


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
