"""`model.decoder.decode` in torch, on the device where the heatmaps are."""

from __future__ import annotations

import torch
from torch import Tensor

from model.decoder import (
    DARK_DETERMINANT,
    DEFAULT_DECODER,
    FLOOR,
    GAIN,
    REACH,
    STEPS,
    WINDOW,
    Decoder,
)
from model.heatmap import STRIDE


def decode_maps(heatmaps: Tensor, method: Decoder = DEFAULT_DECODER) -> Tensor:
    """Landmark positions with sub-pixel precision; no step waits for the device.

    In 64 bits from the neighbourhood of the maximum on, as in numpy: a few numbers per landmark
    cost nothing, and the points are the same.

    Args:
        heatmaps: [N, K, S, S], any precision.
        method: "centroid", "dark" or "quarter".

    Returns:
        [N, K, 3], float64: x and y in crop pixels, and the response at the maximum.
    """
    height, width = heatmaps.shape[-2:]
    maps = heatmaps.flatten(2)
    # torch promises the first of equal maxima, as numpy does.
    best = maps.argmax(dim=2, keepdim=True)
    peaks = maps.gather(2, best).double()
    rows = best.div(width, rounding_mode="floor")
    columns = best - rows * width
    reach = REACH if method == "centroid" else 1
    around = torch.arange(-reach, reach + 1, device=maps.device)
    if method == "centroid":
        seen_y, seen_x = (
            around.abs() <= torch.minimum(place, side - 1 - place)
            for place, side in ((rows, height), (columns, width))
        )
        y = torch.where(seen_y, rows + around, 0)[..., None]
        x = torch.where(seen_x, columns + around, 0)[..., None, :]
        patches = maps.gather(2, (y * width + x).flatten(2)).double()
        step_x, step_y = _centroid_step(
            patches.unflatten(2, y.shape[2:3] * 2), peaks, seen_x, seen_y
        )
    else:
        inside_y, inside_x = rows.clamp(1, height - 2), columns.clamp(1, width - 2)
        cells = (width * around[:, None] + around).flatten()
        patches = maps.gather(2, inside_y * width + inside_x + cells).double()
        step_x, step_y = _dark_step(patches) if method == "dark" else _quarter_step(patches)
        step_x, step_y = step_x * (inside_x == columns), step_y * (inside_y == rows)
    points = (torch.cat([columns + step_x, rows + step_y], dim=2) + 0.5) * STRIDE - 0.5
    return torch.cat([points, peaks], dim=2)


def _centroid_step(
    patches: Tensor, peaks: Tensor, seen_x: Tensor, seen_y: Tensor
) -> tuple[Tensor, Tensor]:
    """Steps [N, K, 1] in x and y to the windowed centroid of [N, K, D, D] patches.

    Cells count where `seen_x` and `seen_y`, [N, K, D], say so; `peaks` [N, K, 1] are the maxima.
    """
    around = torch.arange(-REACH, REACH + 1, device=patches.device, dtype=patches.dtype)
    positive = peaks > 0
    mass = (patches.clamp(min=0) / torch.where(positive, peaks, 1.0)[..., None]) ** 2
    x = y = torch.zeros_like(peaks)
    for _ in range(STEPS):
        window_x = seen_x * (-((around - x) ** 2) / (2 * WINDOW**2)).exp()
        window_y = seen_y * (-((around - y) ** 2) / (2 * WINDOW**2)).exp()
        weighed = mass * window_y[..., None] * window_x[..., None, :]
        along_x, along_y = weighed.sum(dim=2), weighed.sum(dim=3)
        total = torch.where(positive, along_x.sum(dim=2, keepdim=True), 1.0)
        x, y = (
            (place + GAIN * ((along * around).sum(dim=2, keepdim=True) / total - place)).clamp(
                -REACH, REACH
            )
            for place, along in ((x, along_x), (y, along_y))
        )
    return torch.where(positive, x, 0.0), torch.where(positive, y, 0.0)


def _dark_step(patches: Tensor) -> tuple[Tensor, Tensor]:
    """Steps [N, K, 1] in x and y to the maximum of the paraboloid through log [N, K, 9] patches."""
    logs = patches.clamp(min=FLOOR).log()
    a, b, c, d, e, f, g, h, i = logs.split(1, dim=2)  # row by row; e is the centre
    dx, dy = (f - d) / 2, (h - b) / 2
    dxx, dyy = f - 2 * e + d, h - 2 * e + b
    dxy = (i - g - c + a) / 4
    determinant = dxx * dyy - dxy**2
    good = (determinant > DARK_DETERMINANT) & (dxx < 0)
    safe = torch.where(good, determinant, 1.0)
    steps = (dxy * dy - dyy * dx) / safe, (dxy * dx - dxx * dy) / safe
    x, y = (torch.where(good, step.clamp(-1, 1), 0.0) for step in steps)
    return x, y


def _quarter_step(patches: Tensor) -> tuple[Tensor, Tensor]:
    """A quarter step towards the larger neighbour of the centre of [N, K, 9] patches."""
    _, b, _, d, _, f, _, h, _ = patches.split(1, dim=2)
    return 0.25 * (f - d).sign(), 0.25 * (h - b).sign()
