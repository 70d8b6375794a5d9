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
        widths: of the maps after each halving, as many as `depth`; empty for `channels`.

    Shape:
        [N, channels, H, W] -> the same.
    """

    def __init__(
        self,
        depth: int,
        channels: int,
        block: str,
        blur_kernel: int,
        widths: tuple[int, ...] = (),
    ) -> None:
        super().__init__()
        make = BLOCKS[block]
        low = widths[0] if widths else channels
        self.skip = make(channels, channels)
        self.down = downsample(channels, blur_kernel)
        self.before = make(channels, low)
        self.inner: nn.Module = (
            Hourglass(depth - 1, low, block, blur_kernel, widths[1:])
            if depth > 1
            else make(low, low)
        )
        self.after = make(low, channels)
        # A constant factor exports as a static shape.
        self.up = nn.Upsample(scale_factor=2, mode="nearest")

    def forward(self, x: Tensor) -> Tensor:
        """Apply the hourglass."""
        low = self.after(self.inner(self.before(self.down(x))))
        return self.skip(x) + self.up(low)
