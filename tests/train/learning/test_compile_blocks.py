"""Blocks compiled one by one: `train.run --compile`."""

import shutil

import pytest
import torch
from torch import nn

from model.network.blocks import HPMBlock
from train.learning.compile_blocks import compile_blocks

needs_compiler = pytest.mark.skipif(
    not any(map(shutil.which, ("g++", "clang++", "c++"))),
    reason="torch.compile needs a C++ compiler",
)


@needs_compiler
@pytest.mark.filterwarnings("ignore")  # of torch's own compiler, about itself
def test_blocks_of_one_kind_are_compiled_once_and_learn_as_plain_ones() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(HPMBlock(8, 8), HPMBlock(8, 8)).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    image = torch.rand(2, 8, 8, 8).contiguous(memory_format=torch.channels_last)
    image.requires_grad_()  # as what comes from other blocks
    names = list(network.state_dict())
    losses, gradients = [], []
    torch._dynamo.utils.counters.clear()
    for compiled in (False, True):
        if compiled:
            compile_blocks(network)
        network.zero_grad()
        loss = network(image).square().mean()
        loss.backward()
        losses.append(loss.detach())
        gradients.append([p.grad.clone() for p in network.parameters()])
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] == 1
    torch.testing.assert_close(losses[1], losses[0])
    for found, expected in zip(gradients[1], gradients[0], strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-6)
    assert list(network.state_dict()) == names
