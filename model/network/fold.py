"""A trained network with everything linear put together, for engines.

What comes out is the same to rounding. Engines fold batch normalisation into convolutions
themselves; what they cannot know is done here:

- kernels that are sums or products of learned ones become one;
- coordinates do not depend on the image, so what a convolution makes of them is a constant map;
- the heads of all stacks but the last feed linear layers only, so those read the features directly,
  and heatmaps that nobody asked for are never made (separable boundary filters only: a dense one
  reads the features of a small network no faster than its heatmaps).
"""

from __future__ import annotations

from copy import deepcopy

import torch
from torch import Tensor, nn

from model.network.antialias import BlurredConv
from model.network.coordconv import AddCoords, coordinates, near_boundaries
from model.network.propnet import PropNet, Stack
from model.network.separable import MultiViewConv


def fold(network: PropNet, size: int) -> PropNet:
    """The inference path of a network, with less to compute.

    Args:
        network: trained; not changed. To be used for `PropNet.inference` and `PropNet.landmarks`
            alone: the heatmaps of its stacks but the last one are gone.
        size: side of the images, pixels; the folded network takes no others.

    Returns:
        A copy in evaluation mode.
    """
    folded = deepcopy(network).eval()
    with torch.no_grad():
        for parent in list(folded.modules()):
            for name, child in list(parent.named_children()):
                if isinstance(child, BlurredConv):
                    setattr(parent, name, _one_conv(child.kernel(), stride=2))
                elif isinstance(child, MultiViewConv):
                    kernel = child.kernel()
                    setattr(parent, name, _one_conv(kernel, groups=len(kernel)))
        if isinstance(folded.stem.coords, AddCoords):
            conv = folded.stem.conv[0]
            assert isinstance(conv, nn.Conv2d)
            folded.stem.coords = nn.Identity()
            folded.stem.conv[0] = ConstantCoords(conv, size, size)
        for stack in folded.stacks:
            assert isinstance(stack, Stack)
            if stack.coords is not None:
                assert isinstance(stack.enter, nn.Conv2d)
                side = size // 4
                stack.enter = ConstantCoords(stack.enter, side, side, stack.coords.masked)
                stack.coords = None
        for stack in folded.stacks[:-1]:
            assert isinstance(stack, Stack)
            _skip_head(stack)
    return folded


class ConstantCoords(nn.Module):
    """A convolution whose coordinate channels have become constant maps.

    Args:
        conv: of features, then x, y and r, then x and y masked if `masked`.
        height: of the maps that it reads.
        width: the same.
        masked: whether the last two channels are masked by boundaries.
    """

    constant: Tensor
    near: Tensor

    def __init__(self, conv: nn.Conv2d, height: int, width: int, masked: bool = False) -> None:
        super().__init__()
        weight = conv.weight.detach()
        own = weight.shape[1] - (5 if masked else 3)
        grid = coordinates(height, width, weight.device).to(weight)
        bias = conv.bias.detach() if conv.bias is not None else None
        self.masked = masked
        stride = conv.stride[0]
        seen = _one_conv(weight[:, own : own + 3], stride)(grid)
        self.register_buffer("constant", seen if bias is None else seen + bias[:, None, None])
        if masked:  # of a 1 x 1 convolution, through which a mask can be taken out
            self.register_buffer("near", _one_conv(weight[:, own + 3 :])(grid[:, :2]))
        self.conv = _one_conv(weight[:, :own], stride)

    def forward(self, x: Tensor, boundaries: Tensor | None = None) -> Tensor:
        """The same as coordinates and convolution one after the other."""
        y: Tensor = self.conv(x) + self.constant
        if not self.masked:
            return y
        return y + near_boundaries(boundaries).to(y) * self.near


def _one_conv(kernel: Tensor, stride: int = 1, groups: int = 1) -> nn.Conv2d:
    """A convolution without bias by a kernel [outputs, inputs / groups, side, side]."""
    outputs, inputs, side, _ = kernel.shape
    conv = nn.Conv2d(
        inputs * groups,
        outputs,
        side,
        stride=stride,
        padding=side // 2,
        groups=groups,
        bias=False,
    )
    conv.weight = nn.Parameter(kernel.detach().clone(), requires_grad=False)
    return conv


def _skip_head(stack: Stack) -> None:
    """Have what reads the heatmaps of a stack read its features."""
    module = stack.propagation
    mixing = module.to_boundaries if module is not None else None
    if not isinstance(mixing, nn.Sequential) or stack.merge_landmarks is None:
        return
    head = stack.to_landmarks
    stack.merge_landmarks = _composed(stack.merge_landmarks, head)
    mixing[0] = _composed(mixing[0], head)
    stack.to_landmarks = nn.Identity()


def _composed(second: nn.Module, first: nn.Module) -> nn.Conv2d:
    """One 1 x 1 convolution in place of two."""
    assert isinstance(first, nn.Conv2d)
    assert isinstance(second, nn.Conv2d)
    after, before = second.weight[:, :, 0, 0].double(), first.weight[:, :, 0, 0].double()
    bias = torch.zeros(len(after), dtype=torch.float64)
    if first.bias is not None:
        bias = after @ first.bias.double()
    if second.bias is not None:
        bias = bias + second.bias.double()
    conv = nn.Conv2d(before.shape[1], len(after), 1)
    conv.weight = nn.Parameter((after @ before)[:, :, None, None].float(), requires_grad=False)
    conv.bias = nn.Parameter(bias.float(), requires_grad=False)
    return conv
