"""A network of more stacks that starts from what a shallower one has learned.

Every added stack is a copy of the last one: it looks again at the same features, now with the
boundary maps of the stack before it. What a stack passes on to the next is added to those features,
and starts as nothing, so no stack has to unlearn anything; the copies part as soon as it grows.
The idea is Net2DeeperNet's (Chen, Goodfellow and Shlens, ICLR 2016), with a refining stack where
theirs is an identity.
"""

from __future__ import annotations

from dataclasses import replace

import torch

from model.config import PropNetConfig
from model.network.propnet import PropNet

# Parts of a stack's propagation module that its last stack may lack.
_ATTENTION = ("propagation.merge.", "propagation.hourglass.", "propagation.to_attention.")


def can_deepen(shallow: PropNetConfig, deep: PropNetConfig) -> bool:
    """Whether the networks differ in nothing but added stacks.

    The first stack has no boundary maps to read, so it cannot be copied: there must be a second.
    """
    same = replace(shallow, stacks=deep.stacks, last_attention=deep.last_attention)
    return same == deep and 2 <= shallow.stacks < deep.stacks


def deepen(shallow: PropNet, config: PropNetConfig) -> PropNet:
    """A deeper network whose stacks all see at once what the shallower one sees.

    Args:
        shallow: the trained network.
        config: of the deeper one; see `can_deepen`.

    Returns:
        The deeper network, in training mode.

    Raises:
        ValueError: it is not the same network with more stacks.
    """
    if not can_deepen(shallow.config, config):
        raise ValueError("only stacks can be added, to two or more")
    known, deep = shallow.state_dict(), PropNet(config)
    last = shallow.config.stacks - 1
    with torch.no_grad():
        for key, value in deep.state_dict().items():
            if not key.startswith("stacks."):
                value.copy_(known[key])
                continue
            number, rest = key.removeprefix("stacks.").split(".", 1)
            stack = int(number)
            if stack < last:
                value.copy_(known[key])
            elif rest.startswith("merge_"):
                value.zero_()
            elif not rest.startswith(_ATTENTION):
                value.copy_(known[f"stacks.{last}.{rest}"])
            elif stack < config.stacks - 1:
                # The last stack's attention is missing or untrained.
                value.copy_(known[f"stacks.{last - 1}.{rest}"])
    return deep.train()
