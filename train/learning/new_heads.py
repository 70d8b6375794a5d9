"""A network for other points that starts from what another one has learned to see."""

from __future__ import annotations

from dataclasses import replace

import torch

from model.config import PropNetConfig
from model.network.propnet import PropNet


def can_take_over(old: PropNetConfig, new: PropNetConfig) -> bool:
    """Whether the networks differ in nothing but their points, and perhaps in propagation."""
    bare = replace(old, markup=new.markup, propagation=new.propagation and old.propagation)
    return bare == new


def with_new_heads(trained: PropNet, config: PropNetConfig, seed: int = 0) -> PropNet:
    """A network with the trained one's weights, save for what reads or gives maps of points.

    Without curves in the new markup there are no boundaries: the propagation module and what
    it gave to the coordinates are left away.

    Args:
        trained: the trained network.
        config: of the new one; see `can_take_over`.
        seed: of the new weights.

    Returns:
        The new network, in training mode.

    Raises:
        ValueError: it is another network.
    """
    if not can_take_over(trained.config, config):
        raise ValueError("only the points can be other ones")
    torch.manual_seed(seed)
    network = PropNet(config)
    same_points = trained.config.markup.names == config.markup.names
    known = trained.state_dict()
    with torch.no_grad():
        for name, value in network.state_dict().items():
            old = known.get(name)
            if old is None or (_HEADS & set(name.split(".")) and not same_points):
                continue
            if old.shape == value.shape:
                value.copy_(old)
            elif name.endswith(_READERS):
                # Features come first, then what was added to them: coordinates, boundary maps.
                shared = min(old.shape[1], value.shape[1])
                if name.endswith(_MERGE):
                    shared = trained.config.channels
                value[:, :shared] = old[:, :shared]
    return network.train()


# Parts of the names of weights whose channels are points or boundaries.
_HEADS = {"to_landmarks", "merge_landmarks", "to_boundaries"}
# What reads features and something else beside them.
_MERGE = "propagation.merge.weight"
_READERS = ("enter.weight", _MERGE)
