"""What tests of torch.compile share."""

from __future__ import annotations

import shutil
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

needs_compiler = pytest.mark.skipif(
    not any(map(shutil.which, ("g++", "clang++", "c++"))),
    reason="torch.compile needs a C++ compiler",
)


def learned(
    network: nn.Module, run: Callable[[Tensor], Tensor], image: Tensor
) -> tuple[Tensor, list[Tensor]]:
    """Loss of a network that is run in some way, and the gradients of its parameters."""
    network.zero_grad()
    loss = run(image).square().mean()
    loss.backward()
    return loss.detach(), [p.grad.clone() for p in network.parameters() if p.grad is not None]


def assert_same_learning(
    first: tuple[Tensor, list[Tensor]], second: tuple[Tensor, list[Tensor]]
) -> None:
    """Equal but for the order of sums."""
    torch.testing.assert_close(second[0], first[0])
    for found, expected in zip(second[1], first[1], strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-6)
