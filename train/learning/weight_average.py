"""Exponential moving average of a network's weights."""

from __future__ import annotations

import copy
from typing import Generic, TypeVar

import torch
from torch import Tensor, nn

Network = TypeVar("Network", bound=nn.Module)


class WeightAverage(Generic[Network]):
    """Average that is evaluated and shipped instead of the last step's weights.

    Args:
        network: what to average; the average starts as its copy.
        decay: share of the old average kept per step. The first steps keep less, so that the
            random start is forgotten: min(decay, (1 + n) / (10 + n)).
    """

    def __init__(self, network: Network, decay: float) -> None:
        self.network = copy.deepcopy(network).eval().requires_grad_(False)
        self.decay = decay
        self.steps = 0

    def restart(self) -> None:
        """Forget the past as quickly as at the start: the next steps keep little of it."""
        self.steps = 0

    @torch.no_grad()
    def update(self, network: nn.Module) -> None:
        """Take one step's weights into the average, batch statistics included."""
        self.steps += 1
        decay = min(self.decay, (1 + self.steps) / (10 + self.steps))
        averages: list[Tensor] = []
        values: list[Tensor] = []
        states = self.network.state_dict().values(), network.state_dict().values()
        for average, value in zip(*states, strict=True):
            if average.is_floating_point():
                averages.append(average)
                values.append(value)
            else:
                average.copy_(value)
        # At once: on a GPU two thousand small kernels take longer to start than to run.
        torch._foreach_lerp_(averages, values, 1 - decay)
