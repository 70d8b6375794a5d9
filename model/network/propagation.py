"""The landmark-boundary propagation module (the paper's section 3.1 and Fig. 1)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from model.network.hourglass import Hourglass


class PropagationModule(nn.Module):
    """Turn landmark heatmaps into boundary heatmaps, and those into attention on the features.

    The "set of several 7 x 7 convolution operations" is one 7 x 7 convolution from all K landmark
    maps to the M boundary maps: a boundary is the sum of K filtered landmark maps. Restricting each
    boundary to its own landmarks is the special case of zero weights elsewhere; leaving them free
    lets visible landmarks speak for hidden ones, and is one dense operation on every engine.

    Args:
        landmarks: K.
        boundaries: M.
        channels: width of the features.
        block: key of `model.network.blocks.BLOCKS`.
        blur_kernel: see `PropNetConfig`.
        depth: halvings of its hourglass; the paper's figure shows two.
        attends: False leaves out the attention branch (the last module of a network).
    """

    def __init__(
        self,
        *,
        landmarks: int,
        boundaries: int,
        channels: int,
        block: str,
        blur_kernel: int,
        depth: int = 2,
        attends: bool = True,
    ) -> None:
        super().__init__()
        self.attends = attends
        self.to_boundaries: nn.Module = nn.Conv2d(landmarks, boundaries, 7, padding=3)
        if block == "separable":
            # A boundary is one filter of a mixture of landmark maps: a fortieth of the cost.
            self.to_boundaries = nn.Sequential(
                nn.Conv2d(landmarks, boundaries, 1, bias=False),
                nn.Conv2d(boundaries, boundaries, 7, padding=3, groups=boundaries),
            )
        if not attends:
            return
        self.merge = nn.Conv2d(channels + boundaries, channels, 1)
        self.hourglass = Hourglass(depth, channels, block, blur_kernel)
        self.to_attention = nn.Conv2d(channels, channels, 1)

    def freeze_attention(self) -> None:
        """Take the attention branch out of training.

        For the last module of a network, whose attention feeds nothing: no loss reaches these
        weights, and training on several processes would wait for their gradients for ever.
        """
        for branch in (self.merge, self.hourglass, self.to_attention):
            branch.requires_grad_(False)

    def boundary_maps(self, landmark_maps: Tensor) -> Tensor:
        """[N, K, H, W] landmark maps to [N, M, H, W] boundary maps, without downsampling."""
        maps: Tensor = self.to_boundaries(landmark_maps)
        return maps

    def attention(self, features: Tensor, boundary_maps: Tensor) -> Tensor:
        """Attention [N, C, H, W] in (0, 1) from features [N, C, H, W] and boundary maps."""
        merged = self.merge(torch.cat([features, boundary_maps], dim=1))
        return torch.sigmoid(self.to_attention(self.hourglass(merged)))
