"""What learns: the network, its average and the optimiser."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from model.errors import InputError
from model.network.propnet import PropNet
from model.weights import load_network
from train.learning.compile_blocks import compile_blocks
from train.learning.grow import can_grow, grow
from train.learning.losses import MapLoss, focal_weights, map_loss, propnet_loss
from train.learning.new_heads import can_take_over, with_new_heads
from train.learning.processes import World
from train.learning.teacher import Teacher
from train.learning.weight_average import WeightAverage
from train.recipes.run_config import RunConfig


def _start(config: RunConfig) -> PropNet:
    """The network before the first step.

    Raises:
        InputError: the weights to start from are unusable or another network's.
    """
    if config.init is None:
        return PropNet(config.network)
    network, metadata = load_network(config.init)
    if metadata.config == config.network:
        return network.train()
    if can_grow(metadata.config, config.network):
        return grow(network, config.network, config.seed)
    if can_take_over(metadata.config, config.network):
        return with_new_heads(network, config.network, config.seed)
    raise InputError(
        f"--init {config.init} holds {metadata.name} with other settings than {config.name}: "
        "start from weights of the same network, for whatever points, or of one for the same "
        "points that is narrower by a whole factor or has fewer stacks (two or more)."
    )


def _planes(crops: Tensor) -> Tensor:
    """Crops [N, S, S, 3] uint8 to [N, 3, S, S]: tracker.engines.base.normalize on the device."""
    image = crops.permute(0, 3, 1, 2).float().div(127.5).sub(1)
    return image.contiguous(memory_format=torch.channels_last)


class Learner:
    """Network, average and optimiser of a run, and the step that changes them.

    Args:
        config: the run.
        world: this process among all.
    """

    def __init__(self, config: RunConfig, world: World) -> None:
        recipe = config.recipe
        self.recipe, self.world = recipe, world
        self._autocast = torch.autocast(
            world.device.type, torch.bfloat16, enabled=config.precision == "bf16"
        )
        torch.manual_seed(config.seed)
        self.network = _start(config).to(world.device)
        self.network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.teacher = (
            Teacher(
                config.teachers,
                config.network,
                world.device,
                mirror=recipe.distillation.mirror,
                bf16=config.precision == "bf16",
            )
            if config.teachers
            else None
        )
        self.average = WeightAverage(self.network, recipe.ema_decay)
        kind = torch.optim.Adam if recipe.optimizer == "adam" else torch.optim.AdamW
        self.optimizer = kind(
            self.network.parameters(), lr=recipe.learning_rate, weight_decay=recipe.weight_decay
        )
        self._model: nn.Module = self.network
        if world.size > 1:
            device_ids = [world.device.index] if world.device.type == "cuda" else None
            self._model = DistributedDataParallel(self.network, device_ids=device_ids)
        self._of_maps: MapLoss = map_loss
        if config.compile:
            # Of a dozen passes over all maps one is left: a quarter of the loss's time.
            self._of_maps = torch.compile(map_loss, dynamic=False)
            # On a processor blocks are as fast as they are.
            if world.device.type == "cuda":
                compile_blocks(self.network)

    @property
    def rate(self) -> float:
        """Learning rate of the last step."""
        return float(self.optimizer.param_groups[0]["lr"])

    def step(self, batch: dict[str, Tensor], rate: float) -> Tensor:
        """One optimiser step.

        Args:
            batch: stacked items of a `CropDataset`.
            rate: learning rate.

        Returns:
            This process's mean loss, a scalar on its device.
        """
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        loss = self._loss(batch)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        if self.recipe.clip_norm:
            nn.utils.clip_grad_norm_(self.network.parameters(), self.recipe.clip_norm)
        self.optimizer.step()
        self.average.update(self.network)
        return loss.detach()

    def _loss(self, batch: dict[str, Tensor]) -> Tensor:
        batch = {
            key: value.to(self.world.device, non_blocking=True) for key, value in batch.items()
        }
        recipe, image = self.recipe, _planes(batch["crop"])
        weights = batch["weight"] * batch["labelled"]
        if recipe.loss.focal:
            weights = weights * focal_weights(batch["attributes"], batch["labelled"])
        with self._autocast:
            outputs = self._model(image)
        loss = propnet_loss(
            outputs,
            batch["landmarks"],
            batch["boundaries"],
            weights,
            recipe.loss,
            known=(batch["known"], batch["known_boundaries"]),
            of_maps=self._of_maps,
        )
        if self.teacher is None:
            return loss
        landmarks, boundaries = self.teacher(_planes(batch["clean"]) if "clean" in batch else image)
        # Without focal weights: attributes are labels, and half of these faces may have none.
        taught = propnet_loss(
            outputs, landmarks, boundaries, batch["weight"], recipe.loss, of_maps=self._of_maps
        )
        return loss + recipe.distillation.weight * taught

    def state(self) -> dict[str, Any]:
        """Everything that a step changes, for a checkpoint."""
        return {
            "network": self.network.state_dict(),
            "average": self.average.network.state_dict(),
            "average_steps": self.average.steps,
            "optimizer": self.optimizer.state_dict(),
        }

    def restore(self, states: dict[str, Any]) -> None:
        """Inverse of `state`."""
        self.network.load_state_dict(states["network"])
        self.average.network.load_state_dict(states["average"])
        self.average.steps = states["average_steps"]
        self.optimizer.load_state_dict(states["optimizer"])
