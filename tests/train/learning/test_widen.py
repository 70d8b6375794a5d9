"""A wider network starts where the narrower one is."""

from dataclasses import replace

import pytest
import torch

from model.config import PropNetConfig
from model.network.propnet import PropNet
from model.shipped_markups import IBUG
from tests.support.small_network import with_statistics
from train.learning.widen import can_widen, widen

NARROW = PropNetConfig(stacks=2, channels=16, depth=1)


def trained(config: PropNetConfig) -> PropNet:
    torch.manual_seed(3)
    return with_statistics(PropNet(config).eval())


@pytest.mark.parametrize(
    "config",
    [
        NARROW,
        replace(NARROW, stacks=1),
        replace(NARROW, propagation=False, coord_conv=False, markup=IBUG),
        replace(NARROW, block="bottleneck", blur_kernel=0),
        replace(NARROW, last_attention=True),
    ],
)
@pytest.mark.parametrize("times", [1, 2, 3])
def test_the_wider_network_sees_the_same(config: PropNetConfig, times: int) -> None:
    network = trained(config)
    wide = widen(network, replace(config, channels=16 * times)).eval()
    assert wide.config.channels == 16 * times
    image = torch.rand(2, 3, 64, 64) * 2 - 1
    with torch.no_grad():
        for before, after in zip(network(image), wide(image), strict=True):
            torch.testing.assert_close(after.landmarks, before.landmarks, rtol=0, atol=1e-4)
            assert (after.boundaries is None) == (before.boundaries is None)
            if before.boundaries is not None:
                torch.testing.assert_close(after.boundaries, before.boundaries, rtol=0, atol=1e-4)
            if before.attention is not None:
                # Every channel's copies are next to each other.
                copies = before.attention.repeat_interleave(times, dim=1)
                torch.testing.assert_close(after.attention, copies, rtol=0, atol=1e-4)


def test_copies_learn_different_things() -> None:
    wide = widen(trained(NARROW), replace(NARROW, channels=32))
    optimizer = torch.optim.SGD(wide.parameters(), lr=0.1)
    kernel = wide.stem.conv[0].weight
    torch.testing.assert_close(kernel[0], kernel[1], rtol=0, atol=0)
    torch.manual_seed(0)
    image, target = torch.rand(2, 3, 64, 64), torch.rand(2, 98, 16, 16)
    (wide(image)[-1].landmarks - target).square().mean().backward()
    optimizer.step()
    assert (kernel[0] - kernel[1]).abs().max() > 1e-6


def test_the_seed_decides_the_shares() -> None:
    network, config = trained(NARROW), replace(NARROW, channels=32)
    first, again, other = (widen(network, config, seed).state_dict() for seed in (0, 0, 1))
    key = "stacks.0.to_landmarks.weight"
    assert torch.equal(first[key], again[key])
    assert not torch.equal(first[key], other[key])


@pytest.mark.parametrize(
    "other",
    [
        replace(NARROW, channels=48),
        replace(NARROW, channels=16),
        replace(NARROW, channels=64, stacks=1),
        replace(NARROW, channels=64, markup=IBUG),
    ],
)
def test_only_a_multiple_of_the_width(other: PropNetConfig) -> None:
    narrow = replace(NARROW, channels=32)
    assert not can_widen(narrow, other)
    with pytest.raises(ValueError, match="multiple of the width"):
        widen(PropNet(narrow), other)
