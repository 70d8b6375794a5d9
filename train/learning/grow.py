"""A larger network that starts from what a smaller one has learned."""

from __future__ import annotations

from dataclasses import replace

from model.config import PropNetConfig
from model.network.propnet import PropNet
from train.learning.deepen import can_deepen, deepen
from train.learning.widen import can_widen, widen


def _deeper(small: PropNetConfig, large: PropNetConfig) -> PropNetConfig:
    """The smaller network with the larger one's stacks."""
    return replace(small, stacks=large.stacks, last_attention=large.last_attention)


def can_grow(small: PropNetConfig, large: PropNetConfig) -> bool:
    """Whether the larger network is the smaller one with more stacks, or wider, or both."""
    deeper = _deeper(small, large)
    return can_widen(deeper, large) and (deeper == small or can_deepen(small, deeper))


def grow(small: PropNet, config: PropNetConfig, seed: int = 0) -> PropNet:
    """A larger network in which every stack sees what the smaller one's same or last stack sees.

    Args:
        small: the trained network.
        config: of the larger one; see `can_grow`.
        seed: of the shares of `widen`.

    Returns:
        The larger network, in training mode.

    Raises:
        ValueError: it is not the same network with more stacks or a multiple of the width.
    """
    if not can_grow(small.config, config):
        raise ValueError("only stacks can be added and the width multiplied")
    deeper = _deeper(small.config, config)
    return widen(small if deeper == small.config else deepen(small, deeper), config, seed)
