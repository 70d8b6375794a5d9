"""Blocks compiled one by one: `train.run --compile`."""

import pytest
import torch
from torch import nn

from model.network.blocks import HPMBlock
from tests.support.compiled_networks import assert_same_learning, learned, needs_compiler
from train.learning.compile_blocks import compile_blocks


@needs_compiler
@pytest.mark.filterwarnings("ignore")  # of torch's own compiler, about itself
def test_blocks_of_one_kind_are_compiled_once_and_learn_as_plain_ones() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(HPMBlock(8, 8), HPMBlock(8, 8)).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    image = torch.rand(2, 8, 8, 8).contiguous(memory_format=torch.channels_last)
    image.requires_grad_()  # as what comes from other blocks
    names = list(network.state_dict())
    torch._dynamo.utils.counters.clear()
    plain = learned(network, network, image)
    assert len(plain[1]) == len(list(network.parameters()))
    compile_blocks(network)
    assert_same_learning(plain, learned(network, network, image))
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] == 1
    assert list(network.state_dict()) == names
