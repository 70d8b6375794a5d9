"""The block for processors: depthwise views of several sides, then one mixing of the channels.

The paper's multi-view block sees neighbourhoods of several sizes at once by convolutions in a row.
Here they lie side by side, every channel by itself: the sum of parallel convolutions is one
convolution with the sum of their kernels. Trained as several, each with a scale of its own, they
learn better than the one (Ding et al., "RepVGG", CVPR 2021), and summing kernels before the
convolution instead of maps behind it costs training next to nothing (Hu et al., "Online
convolutional re-parameterization", CVPR 2022). `model.network.fold` leaves the one.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

# Sides of the views, the largest first. 7 as well costs a fifth of the network's time.
VIEWS = (5, 3)


class MultiViewConv(nn.Module):
    """Depthwise convolutions of several sides and the input itself, summed.

    Args:
        channels: every one is filtered by itself.

    Shape:
        [N, channels, H, W] -> the same.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        # All views alike in size at first; the input itself, as in a residual block, not scaled.
        share = len(VIEWS) ** -0.5
        for side in VIEWS:
            view = torch.empty(channels, 1, side, side)
            nn.init.kaiming_normal_(view, nonlinearity="relu")
            self.register_parameter(f"view{side}", nn.Parameter(view))
            scale = torch.full((channels, 1, 1, 1), share)
            self.register_parameter(f"scale{side}", nn.Parameter(scale))
        self.identity = nn.Parameter(torch.ones(channels, 1, 1, 1))

    def kernel(self) -> Tensor:
        """[channels, 1, S, S] of the one convolution that this is; S is the largest view's side."""
        side = VIEWS[0]
        total = functional.pad(self.identity, (side // 2,) * 4)
        for own in VIEWS:
            view = self.get_parameter(f"view{own}") * self.get_parameter(f"scale{own}")
            total = total + functional.pad(view, ((side - own) // 2,) * 4)
        return total

    def forward(self, x: Tensor) -> Tensor:
        """Apply all views."""
        return functional.conv2d(x, self.kernel(), padding=VIEWS[0] // 2, groups=x.shape[1])


class SeparableBlock(nn.Module):
    """Views, mixing, residual where the width stays; a ReLU behind, so that all of it folds.

    Shape:
        [N, inputs, H, W] -> [N, outputs, H, W].
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.look = nn.Sequential(MultiViewConv(inputs), nn.BatchNorm2d(inputs))
        self.mix = nn.Sequential(nn.Conv2d(inputs, outputs, 1, bias=False), nn.BatchNorm2d(outputs))
        self.residual = inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        """Apply the block."""
        y: Tensor = self.mix(self.look(x))
        return functional.relu(x + y if self.residual else y)
