"""A wider network that computes what a narrower one has learned: Net2Net.

Chen, Goodfellow and Shlens, "Net2Net: accelerating learning via knowledge transfer", ICLR 2016.
Training goes on from there instead of from nothing.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from model.config import PropNetConfig
from model.network.propnet import PropNet

# Shares of a channel's copies are drawn from this range before they are scaled to sum to 1. Equal
# shares would leave the copies equal for ever: they would get the same gradients.
_SHARES = (0.5, 1.5)


def can_widen(narrow: PropNetConfig, wide: PropNetConfig) -> bool:
    """Whether the networks differ in nothing but a whole multiple of the width."""
    same = replace(narrow, channels=wide.channels) == wide
    # Depthwise kernels have no inputs to share, and some widths of theirs stay what they are.
    return same and wide.channels % narrow.channels == 0 and not narrow.folds


def widen(narrow: PropNet, config: PropNetConfig, seed: int = 0) -> PropNet:
    """A wider network with the same output, to rounding.

    Every channel becomes `wide / narrow` copies next to each other, and what reads a channel reads
    random shares of its copies that sum to what it read before.

    Args:
        narrow: the trained network.
        config: of the wider one; see `can_widen`.
        seed: of the shares.

    Returns:
        The wider network, in training mode.

    Raises:
        ValueError: it is not the same network in a multiple of the width.
    """
    if not can_widen(narrow.config, config):
        raise ValueError("only a multiple of the width can be grown")
    times = config.channels // narrow.config.channels
    random = torch.Generator().manual_seed(seed)
    wide = PropNet(config)
    state = wide.state_dict()
    with torch.no_grad():
        for key, value in narrow.state_dict().items():
            state[key].copy_(_grown(value, state[key].shape, times, random))
    return wide.train()


def _grown(value: Tensor, shape: torch.Size, times: int, random: torch.Generator) -> Tensor:
    """A parameter or statistic in the shape of the wider network."""
    if times == 1 or value.dim() == 0:
        return value
    value = _copied(value, shape[0], times, 0)
    if value.dim() < 2:
        return value
    inputs = _copied(value, shape[1], times, 1)
    hidden = inputs.shape[1] - value.shape[1]
    hidden = hidden // (times - 1) * times
    low, high = _SHARES
    shares = low + (high - low) * torch.rand(
        inputs.shape[0], hidden // times, times, *inputs.shape[2:], generator=random
    )
    shares /= shares.sum(dim=2, keepdim=True)
    inputs[:, :hidden] *= shares.flatten(1, 2)
    return inputs


def _copied(value: Tensor, size: int, times: int, dim: int) -> Tensor:
    """`value` with as many leading channels copied as it takes to reach `size` along `dim`.

    Channels of features come first. What follows them keeps its number in every width: coordinates
    and boundary maps beside them, or the landmarks of a head, which has nothing but these.
    """
    hidden = (size - value.shape[dim]) // (times - 1)
    first, rest = value.split([hidden, value.shape[dim] - hidden], dim=dim)
    return torch.cat([first.repeat_interleave(times, dim=dim), rest], dim=dim)
