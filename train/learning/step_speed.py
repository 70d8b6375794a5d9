"""How many views a second a machine learns from, and how many it can load."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from time import perf_counter

import torch
from torch import Tensor

from model.errors import InputError
from model.heatmap import STRIDE
from train.data.sample import NO_ATTRIBUTES, Sample
from train.learning.feed import Feed
from train.learning.learner import Learner
from train.learning.processes import World
from train.recipes.recipe import Stage
from train.recipes.run_config import RunConfig

# The first steps compile, choose convolutions and fill the memory pool.
_WARM_UP = 2


@dataclass(frozen=True)
class StepSpeed:
    """Training steps of one batch size.

    Attributes:
        batch: views per step.
        compiled: whether blocks are compiled.
        views_per_second: views learned from in a second, copies to the device included.
        warm_up_seconds: time before that speed is reached.
        memory_gib: most memory that was in use on a GPU; 0 on a processor.
        problem: why there are no figures; empty where there are.
    """

    batch: int
    compiled: bool
    views_per_second: float = 0.0
    warm_up_seconds: float = 0.0
    memory_gib: float = 0.0
    problem: str = ""


def measure_steps(config: RunConfig, stage: Stage, world: World, seconds: float) -> StepSpeed:
    """Time optimiser steps on views that are there already.

    Args:
        config: network, recipe, precision, and whether to compile.
        stage: size and batch.
        world: where to compute.
        seconds: how long to measure, warm-up apart.

    Returns:
        The speed, or what went wrong: too little memory, or a compiler that fails.
    """
    try:
        return _measured(config, stage, world, seconds)
    except Exception as error:  # a compiler may fail in any way, and then there is the other way
        reason = str(error).splitlines()[0] if str(error) else "it does not say why"
        return StepSpeed(stage.batch, config.compile, problem=f"{type(error).__name__}: {reason}")
    finally:
        if world.device.type == "cuda":
            # For a larger batch.
            torch.cuda.empty_cache()


def _measured(config: RunConfig, stage: Stage, world: World, seconds: float) -> StepSpeed:
    on_gpu = world.device.type == "cuda"
    if on_gpu:
        torch.cuda.reset_peak_memory_stats()
    begin = perf_counter()
    learner, batch = Learner(config, world), _views(config, stage, pinned=on_gpu)

    def step() -> None:
        # Read as the training loop reads it: each step ends before the next begins.
        float(learner.step(batch, config.recipe.learning_rate))

    for _ in range(_WARM_UP):
        step()
    start, steps = perf_counter(), 0
    while not steps or perf_counter() - start < seconds:
        step()
        steps += 1
    rate = steps * stage.batch / (perf_counter() - start)
    memory = torch.cuda.max_memory_allocated() / 2**30 if on_gpu else 0.0
    return StepSpeed(stage.batch, config.compile, rate, start - begin, memory)


def _views(config: RunConfig, stage: Stage, *, pinned: bool) -> dict[str, Tensor]:
    """A batch like those of the feed, of noise."""
    markup, side, count = config.network.markup, stage.size // STRIDE, stage.batch
    torch.manual_seed(0)
    batch = {
        "crop": torch.randint(0, 256, (count, stage.size, stage.size, 3), dtype=torch.uint8),
        "landmarks": torch.rand(count, markup.points, side, side) ** 8,
        "boundaries": torch.rand(count, len(markup.curves), side, side) ** 8,
        "attributes": torch.tensor(NO_ATTRIBUTES).expand(count, -1).clone(),
        "weight": torch.ones(count),
        "labelled": torch.ones(count, dtype=torch.bool),
        "known": torch.ones(count, markup.points, dtype=torch.bool),
        "known_boundaries": torch.ones(count, len(markup.curves), dtype=torch.bool),
    }
    if config.teachers:
        batch["clean"] = batch["crop"]
    return {key: value.pin_memory() for key, value in batch.items()} if pinned else batch


def measure_loading(
    config: RunConfig, stage: Stage, samples: Sequence[Sample], world: World, seconds: float
) -> tuple[float, float]:
    """Time the loading of batches with nobody to wait for.

    Args:
        config: recipe and number of loading processes.
        stage: size and batch.
        samples: the training faces.
        world: this process among all.
        seconds: how long to measure.

    Returns:
        Views a second, and the seconds to the first batch.

    Raises:
        InputError: fewer faces than fill two batches.
    """
    feed = Feed(config, samples, world)
    if feed.length(stage, 0) < 2:
        raise InputError("the faces fill one batch only: too few to measure their loading.")
    begin = perf_counter()
    batches = feed.batches(stage, 0, 0)
    next(batches)
    start = perf_counter()
    views = 0
    for batch in batches:
        views += len(batch["crop"])
        if perf_counter() - start > seconds:
            break
    return views / (perf_counter() - start), start - begin
