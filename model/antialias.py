"""Anti-aliased downsampling (Zhang, ICML 2019; the paper's section 3.4)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

# Binomial filters: the discrete Gaussians of the given size.
_TAPS = {2: (1.0, 1.0), 3: (1.0, 2.0, 1.0), 5: (1.0, 4.0, 6.0, 4.0, 1.0)}


class BlurPool(nn.Module):
    """Low-pass filter, then keep every `stride`-th pixel.

    Args:
        channels: channels of the input, filtered one by one.
        kernel: side of the binomial filter, 2, 3 or 5.
        stride: 2 halves height and width, 1 only filters.

    Shape:
        [N, C, H, W] -> [N, C, ceil(H / stride), ceil(W / stride)] for even H and W.
    """

    weight: Tensor

    def __init__(self, channels: int, kernel: int, stride: int = 2) -> None:
        super().__init__()
        self.stride = stride
        taps = torch.tensor(_TAPS[kernel])
        square = torch.outer(taps, taps)
        square = (square / square.sum()).repeat(channels, 1, 1, 1)
        self.register_buffer("weight", square, persistent=False)
        # Repeating the border keeps a constant image constant, where zeros would darken its rim.
        left = (kernel - 1) // 2
        self.padding = (left, kernel - 1 - left) * 2

    def forward(self, x: Tensor) -> Tensor:
        """Filter and subsample."""
        padded = functional.pad(x, self.padding, mode="replicate")
        return functional.conv2d(padded, self.weight, stride=self.stride, groups=x.shape[1])


def downsample(channels: int, kernel: int) -> nn.Module:
    """Halve a feature map: blurred average if `kernel` is set, max pooling if it is 0."""
    return BlurPool(channels, kernel) if kernel else nn.MaxPool2d(2)
