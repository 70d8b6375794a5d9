"""Runs that are compared: equal lengths, scored at their end, never trained twice."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from functools import partial
from typing import Any

import typer
from rich.console import Console

from model.errors import InputError
from model.files import write_json
from model.output_lock import claimed
from tracker.engines.base import Engine
from tracker.engines.torch import open_torch_engine
from train.data.sample import Sample
from train.learning.feed import epoch_order
from train.learning.loader_signals import Interrupted
from train.learning.processes import World, join_world
from train.learning.progress_bar import run_shown
from train.recipes.recipe import Recipe
from train.recipes.run_config import RunConfig


def _run_trial(
    config: RunConfig,
    training: list[Sample],
    dev: list[Sample],
    world: World,
    *,
    file: str,
    score: Callable[[Engine], dict[str, Any]],
) -> None:
    """Train one run to its end and score it; a finished one is left as it is.

    The last epoch's averaged weights are scored, not the best epoch's: to choose on the dev split
    would flatter all of them.

    Args:
        config: the run.
        training: faces to learn from.
        dev: faces of the training curve.
        world: this process among all; the leading one scores.
        file: name of the result within the run's folder.
        score: the scores of a network, plain values; added to what the run itself says.

    Raises:
        InputError: see `Trainer`.
        Interrupted: a signal came; the same call resumes.
    """
    # A finished run checks its settings and returns at once.
    progress = run_shown(config, training, dev, world)
    path = config.out / file
    if path.is_file() or not world.leads:
        return
    stage = config.recipe.stages[-1]
    engine = open_torch_engine(str(config.out / "last.safetensors"), str(world.device))
    result = {
        "seed": config.seed,
        "views": progress.images,
        "minutes": progress.seconds / 60,
        "epochs": progress.epoch,
        "size": stage.size,
        "batch": stage.batch,
        "recipe": config.recipe_name,
        "training_faces": len(training),
        **score(engine),
    }
    write_json(path, result)


def run_trials(
    configs: Mapping[str, RunConfig],
    training: list[Sample],
    dev: list[Sample],
    device: str,
    *,
    file: str,
    score: Callable[[str, Engine], dict[str, Any]],
) -> None:
    """Run trials one after another, one folder each.

    Args:
        configs: label -> run.
        training: faces to learn from.
        dev: faces of the training curve.
        device: auto, cpu or cuda.
        file: name of the result within a run's folder.
        score: the scores of a network, given the label of its run.

    Raises:
        InputError: see `Trainer`, or a folder that cannot be made.
        typer.Exit: a signal came; the same command resumes.
    """
    with join_world(device) as world:
        try:
            for place, (label, config) in enumerate(configs.items(), start=1):
                Console(quiet=not world.leads).print(f"run {place} of {len(configs)}: {label}")
                mine = claimed(config.out, folder=True) if world.leads else nullcontext()
                with mine:
                    _run_trial(config, training, dev, world, file=file, score=partial(score, label))
        except Interrupted as error:
            if world.leads:
                Console(stderr=True).print(f"{error}; the same command resumes the run.")
            raise typer.Exit(128 + error.number) from error


def trial_epochs(
    epochs: int | None, views: int | None, samples: list[Sample], recipe: Recipe
) -> int:
    """Length of every run: as given, or the whole epochs that serve a number of faces.

    Raises:
        InputError: not exactly one of the two is given, or `views` is below 1.
    """
    if (epochs is None) == (views is None):
        raise InputError("give the length of the runs: either --epochs or --views.")
    if epochs is not None:
        return epochs
    assert views is not None
    if views < 1:
        raise InputError("--views must be at least 1.")
    # Any seed's first epoch will do: they differ by a few faces where a source is served in part.
    batch = recipe.stages[-1].batch
    served = len(epoch_order(samples, recipe, 0, 0)) // batch * batch
    return max(1, math.ceil(views / max(1, served)))


def numbers(option: str, text: str) -> tuple[int, ...]:
    """Whole numbers of a comma-separated list, each once, in its order.

    Raises:
        InputError: something else is in it.
    """
    try:
        found = tuple(dict.fromkeys(int(part) for part in text.split(",")))
    except ValueError as error:
        raise InputError(f"{option} is {text!r}; give whole numbers, as in 0,1.") from error
    if min(found) < 0:
        raise InputError(f"{option} is {text!r}; the numbers must not be negative.")
    return found
