"""The block for processors, and convolutions whose kernels are made of others."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional

from model.network.antialias import BlurPool, BlurredConv, downsample
from model.network.separable import VIEWS, MultiViewConv, SeparableBlock


def features(channels: int, seed: int = 1) -> torch.Tensor:
    return torch.randn(2, channels, 12, 16, generator=torch.Generator().manual_seed(seed))


def scrambled(module: nn.Module) -> nn.Module:
    """With parameters that nothing is symmetric or zero in."""
    torch.manual_seed(3)
    for parameter in module.parameters():
        parameter.data = torch.randn_like(parameter)
    return module


def test_views_are_the_sum_of_their_convolutions() -> None:
    conv, x = scrambled(MultiViewConv(8)), features(8)
    expected = conv.identity[:, 0] * x
    for side in VIEWS:
        kernel = conv.get_parameter(f"view{side}")
        own = functional.conv2d(x, kernel, padding=side // 2, groups=8)
        expected = expected + conv.get_parameter(f"scale{side}")[:, 0] * own
    torch.testing.assert_close(conv(x), expected)


def test_a_fresh_block_passes_its_input_on() -> None:
    """Views that start at zero would learn nothing; the input itself is one of them."""
    conv = MultiViewConv(4)
    for side in VIEWS:
        conv.get_parameter(f"view{side}").data.zero_()
    torch.testing.assert_close(conv(features(4)), features(4))


@pytest.mark.parametrize(("inputs", "outputs"), [(16, 16), (16, 32)])
def test_a_block_is_views_mixing_and_a_residual(inputs: int, outputs: int) -> None:
    block, x = scrambled(SeparableBlock(inputs, outputs)).eval(), features(inputs)
    mixed = block.mix(block.look(x))
    expected = torch.relu(mixed + x if inputs == outputs else mixed)
    torch.testing.assert_close(block(x), expected)
    assert expected.shape == (2, outputs, 12, 16)


@pytest.mark.parametrize("kernel", [0, 2, 3, 5])
def test_a_blurred_kernel_is_a_blurred_image(kernel: int) -> None:
    conv, image = scrambled(BlurredConv(3, 4, 7, kernel)), features(3)
    # Zeros around the image, blurred with it: the blur reaches beyond the border.
    wide = functional.pad(image, (8,) * 4)
    if kernel:
        blur = BlurPool(3, kernel, stride=1)
        wide = functional.conv2d(wide, blur.weight, groups=3)
    dense = functional.conv2d(wide, conv.weight)
    # 7 in all, so the border that is left is 8 minus 3 on each side.
    expected = dense[..., 5:-5, 5:-5][..., ::2, ::2]
    torch.testing.assert_close(conv(image), expected)


def test_pooling_two_by_two_is_the_blur_of_two() -> None:
    x = features(4)
    torch.testing.assert_close(downsample(4, 2)(x), BlurPool(4, 2)(x))
