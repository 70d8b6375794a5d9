"""CoordConv (Liu et al., NeurIPS 2018): coordinates as extra input channels."""

from __future__ import annotations

import torch
from torch import Tensor, nn

# Boundary response above which a pixel counts as lying on a boundary (Wang et al., ICCV 2019).
_ON_BOUNDARY = 0.05


def coordinates(height: int, width: int, device: torch.device | None = None) -> Tensor:
    """[1, 3, H, W]: x and y in [-1, 1], and r = sqrt(x² + y²) scaled to [0, 1].

    Made on the device: a copy from the host would wait for the GPU, and no CUDA graph records one.
    """
    x = torch.linspace(-1, 1, width, device=device).expand(height, width)
    y = torch.linspace(-1, 1, height, device=device)[:, None].expand(height, width)
    radius = torch.sqrt(x**2 + y**2)
    return torch.stack([x, y, radius / radius.max()])[None]


class AddCoords(nn.Module):
    """Append x, y, r; with boundary maps also x and y where a boundary is near, 0 elsewhere.

    The coordinates follow the size of the map that arrives, so the network runs at any input size.

    Args:
        masked: also append the two channels masked by the boundaries (from stack 2 on).

    Shape:
        [N, C, H, W] and boundaries [N, M, H, W] -> [N, C + 3 (+ 2 if masked), H, W].
    """

    def __init__(self, masked: bool = False) -> None:
        super().__init__()
        self.masked = masked

    def forward(self, x: Tensor, boundaries: Tensor | None = None) -> Tensor:
        """Append the coordinate channels."""
        grid = coordinates(x.shape[-2], x.shape[-1], x.device).to(x).expand(x.shape[0], -1, -1, -1)
        if not self.masked:
            return torch.cat([x, grid], dim=1)
        return torch.cat([x, grid, grid[:, :2] * near_boundaries(boundaries).to(x)], dim=1)


def near_boundaries(boundaries: Tensor | None) -> Tensor:
    """[N, 1, H, W] bool, where one of [N, M, H, W] boundary maps has a response.

    Raises:
        ValueError: there are no such maps.
    """
    if boundaries is None:
        raise ValueError("masked coordinates need boundary maps")
    # A step has no gradient; the mask only says where to look.
    return boundaries.detach().amax(dim=1, keepdim=True) > _ON_BOUNDARY
