"""torch.compile for the blocks of a network, of which there are few kinds."""

from __future__ import annotations

from torch import nn

from model.network.blocks import BLOCKS

# A kind is a number of channels at a side of the maps: propnet has 12 in a run of one input size.
_KINDS = 64


def compile_blocks(network: nn.Module) -> None:
    """Have every residual block of a network run as fused kernels.

    The network as a whole takes minutes to compile: four hourglasses and three propagation modules,
    written out. Nearly all of its time is spent in blocks, the same dozen kinds over and over, and
    compiled code is shared by blocks of one kind.

    Args:
        network: compiled where its blocks are first called; names of parameters stay.
    """
    # Imported late: it takes seconds, and only who compiles needs it.
    import torch._dynamo  # noqa: PLC0415

    torch._dynamo.config.cache_size_limit = _KINDS
    for module in network.modules():
        if isinstance(module, tuple(BLOCKS.values())):
            # A kernel that serves every size is slower than one for each.
            module.compile(dynamic=False)
