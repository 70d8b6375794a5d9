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
        # On the processor also where the rest is planned without memory: there these few numbers
        # make torch load its compiler for four seconds.
        taps = torch.tensor(_TAPS[kernel], device="cpu")
        square = torch.outer(taps, taps)
        square = (square / square.sum()).repeat(channels, 1, 1, 1)
        self.register_buffer("weight", square, persistent=False)
        # Repeating the border keeps a constant image constant, where zeros would darken its rim.
        left = (kernel - 1) // 2
        self.padding = (left, kernel - 1 - left) * 2

    def forward(self, x: Tensor) -> Tensor:
        """Filter and subsample."""
        # torch.compile expects other strides of this operator's gradient than it gets, and stops
        # (torch 2.13, channels-last). An exported graph keeps it as the one operator it is.
        compiled = torch.compiler.is_compiling() and not torch.compiler.is_exporting()
        padded = (
            _repeat_border(x, self.padding)
            if compiled
            else functional.pad(x, self.padding, mode="replicate")
        )
        return functional.conv2d(padded, self.weight, stride=self.stride, groups=x.shape[1])


def _repeat_border(x: Tensor, padding: tuple[int, ...]) -> Tensor:
    """`functional.pad(x, padding, mode="replicate")` of copies that every compiler fuses."""
    for axis, before, after in ((-1, *padding[:2]), (-2, *padding[2:])):
        first, last = x.narrow(axis, 0, 1), x.narrow(axis, x.shape[axis] - 1, 1)
        x = torch.cat([*[first] * before, x, *[last] * after], dim=axis)
    return x


def downsample(channels: int, kernel: int) -> nn.Module:
    """Halve a feature map: blurred average if `kernel` is set, max pooling if it is 0."""
    if kernel == 2:  # the same as pooling, which engines do faster
        return nn.AvgPool2d(2)
    return BlurPool(channels, kernel) if kernel else nn.MaxPool2d(2)


class BlurredConv(nn.Module):
    """A strided convolution that sees a blurred image: one convolution with a blurred kernel.

    Both are linear, so the blur may as well be in the kernel, where it costs nothing. Outside the
    image are zeros.

    Args:
        inputs: channels in.
        outputs: channels out.
        side: of the kernel with its blur, odd.
        kernel: side of the binomial filter, 2, 3 or 5, or 0 for none.

    Shape:
        [N, inputs, H, W] -> [N, outputs, H / 2, W / 2] for even H and W.
    """

    taps: Tensor

    def __init__(self, inputs: int, outputs: int, side: int, kernel: int) -> None:
        super().__init__()
        self.side = side
        own = side - max(kernel - 1, 0)
        self.weight = nn.Parameter(torch.empty(outputs, inputs, own, own))
        nn.init.kaiming_normal_(self.weight, nonlinearity="relu")
        taps = torch.tensor(_TAPS[kernel] if kernel else (1.0,), device="cpu")
        square = torch.outer(taps, taps)
        self.register_buffer("taps", (square / square.sum())[None, None], persistent=False)

    def kernel(self) -> Tensor:
        """[outputs, inputs, side, side] of the one convolution that this is."""
        outputs, inputs, own, _ = self.weight.shape
        flat = self.weight.reshape(outputs * inputs, 1, own, own)
        blurred = functional.conv2d(flat, self.taps, padding=self.taps.shape[-1] - 1)
        return blurred.reshape(outputs, inputs, self.side, self.side)

    def forward(self, x: Tensor) -> Tensor:
        """Blur, convolve and subsample."""
        return functional.conv2d(x, self.kernel(), stride=2, padding=self.side // 2)
