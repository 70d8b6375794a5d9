"""What torch.compile makes of the blurred downsampling."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from model.network.antialias import BlurPool, _repeat_border
from tests.support.compiled_networks import assert_same_learning, learned, needs_compiler


@pytest.mark.parametrize("kernel", [2, 3, 5])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_the_border_is_repeated_as_torch_does(kernel: int, layout: torch.memory_format) -> None:
    """Values to the bit, gradients to the order of sums."""
    padding = BlurPool(4, kernel).padding
    torch.manual_seed(0)
    image = torch.rand(2, 4, 6, 10).contiguous(memory_format=layout)
    ours, theirs = (image.clone().requires_grad_() for _ in range(2))
    found = _repeat_border(ours, padding)
    expected = functional.pad(theirs, padding, mode="replicate")
    assert torch.equal(found, expected)
    weights = torch.rand_like(expected)
    (found * weights).sum().backward()
    (expected * weights).sum().backward()
    assert ours.grad is not None
    assert theirs.grad is not None
    torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-6, atol=1e-6)


@needs_compiler
@pytest.mark.filterwarnings("ignore")  # of torch's own compiler, about itself
def test_a_compiled_network_learns_as_a_plain_one() -> None:
    """Channels-last as in training, forward and backward through the blurred downsampling."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), BlurPool(8, 3), nn.Conv2d(8, 4, 1)).to(
        memory_format=torch.channels_last
    )  # type: ignore[call-overload]
    image = torch.rand(2, 3, 16, 16).contiguous(memory_format=torch.channels_last)
    plain = learned(network, network, image)
    assert len(plain[1]) == len(list(network.parameters()))
    assert_same_learning(plain, learned(network, torch.compile(network), image))
