"""Trained networks that teach another: knowledge distillation on heatmaps.

A teacher's heatmaps say more than labels do: where a point may also be, where a boundary is not
seen, and something on crops that nobody labelled. Hinton et al., "Distilling the knowledge in a
neural network", 2015, for heatmaps as in Zhang et al., "Fast human pose estimation", CVPR 2019.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from model.config import PropNetConfig
from model.errors import InputError
from model.network.propnet import PropNet
from model.weights import load_network


class Teacher:
    """Mean heatmaps of one or several trained networks.

    They may have any number of stacks and any width. Only what a student needs is asked of them:
    the same markup, and boundary maps if the student has them.

    Args:
        weights: shipped names or .safetensors files, at least one.
        student: the network that learns.
        device: where to compute.
        mirror: average with the maps of the mirrored crops, if the markup knows left and right.
        bf16: compute in mixed precision.

    Attributes:
        sizes: name of each -> side of the crops it was trained on, pixels.

    Raises:
        InputError: unusable weights, another markup, or no boundary maps.
    """

    def __init__(
        self,
        weights: tuple[str, ...],
        student: PropNetConfig,
        device: torch.device,
        *,
        mirror: bool = False,
        bf16: bool = False,
    ) -> None:
        self.sizes: dict[str, int] = {}
        self._networks: list[PropNet] = []
        for name in weights:
            network, metadata = load_network(name)
            if metadata.config.markup != student.markup:
                raise InputError(
                    f"--teacher {name} finds the points of {metadata.config.markup}, not of "
                    f"{student.markup}: a teacher needs the student's markup."
                )
            if student.propagation and not metadata.config.propagation:
                raise InputError(
                    f"--teacher {name} has no propagation module, so it cannot teach boundary maps."
                )
            network.requires_grad_(False).to(device)
            network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
            self._networks.append(network)
            self.sizes[name] = metadata.input_size
        markup = student.markup
        # Permutations as tensors, on the device once.
        self._flips = [
            torch.from_numpy(np.ascontiguousarray(order)).to(device)
            for order in (markup.flip, markup.curve_flip)
        ]
        # A mirror image of what has no mirrored points is another thing, as in `CropDataset`.
        self._mirror = mirror and markup.pairs is not None
        self._autocast = torch.autocast(device.type, torch.bfloat16, enabled=bf16)

    @torch.no_grad()
    def __call__(self, image: Tensor) -> tuple[Tensor, Tensor | None]:
        """What the teachers see.

        Args:
            image: [N, 3, S, S], RGB in [-1, 1].

        Returns:
            Landmark maps [N, K, S/4, S/4] and boundary maps [N, M, S/4, S/4] of the last stacks, as
            targets: float32, limited to 0..1 as the exponent of the loss asks. No boundary maps
            (None) where a teacher has none.
        """
        views = [image, image.flip(3)] if self._mirror else [image]
        seen = [self._look(n, view, v > 0) for n in self._networks for v, view in enumerate(views)]
        landmarks = torch.stack([first for first, _ in seen]).mean(dim=0).clamp(0, 1)
        known = [second for _, second in seen if second is not None]
        if len(known) < len(seen):
            return landmarks, None
        return landmarks, torch.stack(known).mean(dim=0).clamp(0, 1)

    def _look(
        self, network: PropNet, image: Tensor, mirrored: bool
    ) -> tuple[Tensor, Tensor | None]:
        """Maps of one network, turned back where the image is a mirrored one."""
        with self._autocast:
            last = network(image)[-1]
        maps = [last.landmarks, last.boundaries]
        first, second = (
            m.float().flip(3)[:, order] if m is not None and mirrored else m
            for m, order in zip(maps, self._flips, strict=True)
        )
        assert first is not None
        return first.float(), None if second is None else second.float()
