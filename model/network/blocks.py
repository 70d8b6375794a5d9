"""Residual blocks of the hourglasses."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from model.network.separable import SeparableBlock


def conv_block(inputs: int, outputs: int, kernel: int) -> nn.Sequential:
    """Pre-activation convolution: BN, ReLU, convolution of the same size without bias."""
    return nn.Sequential(
        nn.BatchNorm2d(inputs),
        nn.ReLU(inplace=True),
        nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, bias=False),
    )


def _projection(inputs: int, outputs: int) -> nn.Module:
    return nn.Identity() if inputs == outputs else nn.Conv2d(inputs, outputs, 1, bias=False)


class HPMBlock(nn.Module):
    """Hierarchical, parallel and multi-scale block (Bulat & Tzimiropoulos, ICCV 2017).

    Three 3 x 3 convolutions in a row give 1/2, 1/4 and 1/4 of the output channels, so that the
    block sees 3 x 3, 5 x 5 and 7 x 7 neighbourhoods at once: the paper's "multi-view block"
    (Fig. 6).

    Shape:
        [N, inputs, H, W] -> [N, outputs, H, W].
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        half, quarter = outputs // 2, outputs // 4
        self.wide = conv_block(inputs, half, 3)
        self.middle = conv_block(half, quarter, 3)
        self.deep = conv_block(quarter, quarter, 3)
        self.shortcut = _projection(inputs, outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Apply the block."""
        wide = self.wide(x)
        middle = self.middle(wide)
        deep = self.deep(middle)
        return torch.cat([wide, middle, deep], dim=1) + self.shortcut(x)


class BottleneckBlock(nn.Module):
    """Pre-activation bottleneck block (He et al., 2016), the paper's baseline (Table 5).

    Shape:
        [N, inputs, H, W] -> [N, outputs, H, W].
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        half = outputs // 2
        self.body = nn.Sequential(
            conv_block(inputs, half, 1), conv_block(half, half, 3), conv_block(half, outputs, 1)
        )
        self.shortcut = _projection(inputs, outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Apply the block."""
        return self.body(x) + self.shortcut(x)


BLOCKS: dict[str, type[HPMBlock] | type[BottleneckBlock] | type[SeparableBlock]] = {
    "hpm": HPMBlock,
    "bottleneck": BottleneckBlock,
    "separable": SeparableBlock,
}
