"""The hourglass (Newell et al., ECCV 2016) with a choice of block and downsampling."""

from __future__ import annotations

from torch import Tensor, nn

from model.network.antialias import downsample
from model.network.blocks import BLOCKS


class Hourglass(nn.Module):
    """Down `depth` times and up again, with a skip connection at every scale.

    Args:
        depth: halvings; the input's sides must be multiples of 2 ** depth.
        channels: width of all maps.
        block: key of `BLOCKS`.
        blur_kernel: see `PropNetConfig`.

    Shape:
        [N, channels, H, W] -> the same.
    """

    def __init__(self, depth: int, channels: int, block: str, blur_kernel: int) -> None:
        super().__init__()
        make = BLOCKS[block]
        self.skip = make(channels, channels)
        self.down = downsample(channels, blur_kernel)
        self.before = make(channels, channels)
        self.inner: nn.Module = (
            Hourglass(depth - 1, channels, block, blur_kernel)
            if depth > 1
            else make(channels, channels)
        )
        self.after = make(channels, channels)
        # A constant factor exports as a static shape.
        self.up = nn.Upsample(scale_factor=2, mode="nearest")

    def forward(self, x: Tensor) -> Tensor:
        """Apply the hourglass."""
        low = self.after(self.inner(self.before(self.down(x))))
        return self.skip(x) + self.up(low)
