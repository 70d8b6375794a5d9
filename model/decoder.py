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
    best = maps.reshape(len(maps), height * width).argmax(axis=1)
    rows, columns = np.divmod(best, width)
    peaks = maps.ravel().take(np.arange(len(maps)) * (height * width) + best)
    if method == "centroid":
        offset = _centroid_offset(maps, rows, columns, peaks)
    else:
        offset = _neighbour_offset(maps, rows, columns, method)
    points = offset
    points[:, 0] += columns
    points[:, 1] += rows
    return heatmap_to_crop(points).reshape(*lead, 2), peaks.reshape(lead)


# Cells around the largest one: their steps along an axis, and those of the whole square in a row.
_AROUND = np.arange(-REACH, REACH + 1)
_DOWN, _RIGHT = (axis.ravel() for axis in np.meshgrid(_AROUND, _AROUND, indexing="ij"))
# What is summed over the square: 1, x and y.
_MOMENTS = np.stack([np.ones(len(_RIGHT)), _RIGHT, _DOWN])
_FIRST_WINDOW = np.exp(-(_RIGHT**2 + _DOWN**2) / (2 * WINDOW**2))


def _centroid_offset(
    maps: NDArray[np.float32],
    rows: NDArray[np.intp],
    columns: NDArray[np.intp],
    peaks: NDArray[np.float32],
) -> NDArray[np.float64]:
    """[N, 2] from the maxima of [N, H, W] maps to windowed centroids, at most `REACH` cells.

    Maps are the last axis of everything here: a hundred numbers side by side are one instruction
    for a processor, seven are not.
    """
    count, height, width = maps.shape
    start = np.arange(count) * (height * width) + rows * width + columns
    cells = (_DOWN * width + _RIGHT)[:, None] + start
    # Below zero is no evidence. Cells beyond a border are read somewhere else, and left out next.
    mass = np.maximum(maps.ravel().take(cells, mode="clip"), 0).astype(np.float64)
    mass *= mass
    half_x = np.minimum(columns, width - 1 - columns)
    half_y = np.minimum(rows, height - 1 - rows)
    if min(half_x.min(initial=REACH), half_y.min(initial=REACH)) < REACH:
        # Beside the border as far on one side as on the other: half a peak has its centroid
        # elsewhere.
        mass *= np.abs(_RIGHT)[:, None] <= half_x
        mass *= np.abs(_DOWN)[:, None] <= half_y
    # Where nothing is above zero, the maximum stays where it is.
    positive = peaks > 0
    offset = _step(np.zeros((2, count)), (_MOMENTS * _FIRST_WINDOW) @ mass, positive)
    for _ in range(STEPS - 1):
        window = np.exp((_AROUND[:, None] - offset[:, None]) ** 2 * (-1 / (2 * WINDOW**2)))
        seen = (window[1, :, None] * window[0]).reshape(mass.shape) * mass
        offset = _step(offset, _MOMENTS @ seen, positive)
    return offset.T.copy()


def _step(
    offset: NDArray[np.float64], moments: NDArray[np.float64], positive: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """[2, N] offsets after a step towards the centroids of [3, N] moments."""
    centroid = moments[1:] / np.where(positive, moments[0], 1)
    return np.clip(offset + GAIN * (centroid - offset), -REACH, REACH) * positive


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
