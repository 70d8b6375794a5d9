"""A folded network gives what the network gives, with less to compute."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import nn

from model.config import PropNetConfig
from model.network.fold import fold
from model.network.propnet import PropNet

TINY = PropNetConfig(stacks=2, channels=16, depth=2, widths=(32, 32), attention_depth=1)
SEPARABLE = replace(TINY, block="separable", blur_kernel=2)
CONFIGS = {
    "separable": SEPARABLE,
    "three stacks": replace(SEPARABLE, stacks=3),
    "one stack": replace(SEPARABLE, stacks=1),
    "no coordinates": replace(SEPARABLE, coord_conv=False),
    "no propagation": replace(SEPARABLE, propagation=False),
    "another blur": replace(SEPARABLE, blur_kernel=3),
    "no blur": replace(SEPARABLE, blur_kernel=0),
    "the paper's": PropNetConfig(stacks=3, channels=16, depth=2),
}


def trained(config: PropNetConfig) -> PropNet:
    """A network with statistics of its own and no parameter at its start."""
    torch.manual_seed(0)
    network = PropNet(config)
    network(torch.randn(4, 3, 64, 64))
    for parameter in network.parameters():
        parameter.data += 0.05 * torch.randn_like(parameter)
    return network.eval()


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
@pytest.mark.parametrize("size", [64, 96])
def test_a_folded_network_gives_the_same(config: PropNetConfig, size: int) -> None:
    network = trained(config)
    before = {key: value.clone() for key, value in network.state_dict().items()}
    image = torch.rand(2, 3, size, size) * 2 - 1
    with torch.inference_mode():
        expected, found = network.inference(image), fold(network, size).inference(image)
    for one, other in zip(expected, found, strict=True):
        assert (one is None) == (other is None)
        if one is not None:
            torch.testing.assert_close(other, one, rtol=1e-4, atol=1e-5)
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())


def test_what_is_constant_or_nobody_reads_is_gone() -> None:
    network = trained(SEPARABLE)
    convs = [m for m in fold(network, 64).modules() if isinstance(m, nn.Conv2d)]
    # Every multi-view convolution has become one.
    assert all(m.weight.shape[1] == 1 for m in convs if m.groups > 1)
    assert max(m.weight.shape[-1] for m in convs) == 7
    first = fold(network, 64).stacks[0]
    assert isinstance(first.to_landmarks, nn.Identity)
    assert first.merge_landmarks.weight.shape == (16, 16, 1, 1)
    # The coordinates' channels are read by nobody: three of the image are left.
    assert fold(network, 64).stem.conv[0].conv.weight.shape == (16, 3, 7, 7)
