"""`model.heatmap.decode` in torch, on the device where the heatmaps are."""

from __future__ import annotations

import torch
from torch import Tensor

from model.heatmap import DARK_DETERMINANT, FLOOR, STRIDE, Decoder


def decode_maps(heatmaps: Tensor, method: Decoder = "dark") -> Tensor:
    """Landmark positions with sub-pixel precision; no step waits for the device.

    In 64 bits from the neighbourhood of the maximum on, as in numpy: nine numbers per landmark cost
    nothing, and the points are the same.

    Args:
        heatmaps: [N, K, S, S], any precision.
        method: "dark" or "quarter".

    Returns:
        [N, K, 3], float64: x and y in crop pixels, and the response at the maximum.
    """
    height, width = heatmaps.shape[-2:]
    maps = heatmaps.flatten(2)
    # torch promises the first of equal maxima, as numpy does.
    best = maps.argmax(dim=2, keepdim=True)
    peaks = maps.gather(2, best)
    rows = best.div(width, rounding_mode="floor")
    columns = best - rows * width
    inside_y, inside_x = rows.clamp(1, height - 2), columns.clamp(1, width - 2)
    steps = torch.arange(-1, 2, device=maps.device)
    around = (width * steps[:, None] + steps).flatten()
    patches = maps.gather(2, inside_y * width + inside_x + around).double()
    step_x, step_y = _dark_step(patches) if method == "dark" else _quarter_step(patches)
    x = columns + step_x * (inside_x == columns)
    y = rows + step_y * (inside_y == rows)
    points = (torch.cat([x, y], dim=2) + 0.5) * STRIDE - 0.5
    return torch.cat([points, peaks.double()], dim=2)


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
