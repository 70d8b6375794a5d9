"""What a training run is asked to do."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from model.config import PropNetConfig
from model.errors import InputError
from model.files import sha256
from model.zoo import find_weights
from train.data.sample import Sample
from train.recipes.recipe import Recipe
from train.recipes.yaml_settings import build

TrainingPrecision = Literal["bf16", "f32"]
_LARGEST_SEED = 2**63 - 1  # torch takes 64 bits
PRECISIONS: tuple[TrainingPrecision, ...] = get_args(TrainingPrecision)


@dataclass(frozen=True)
class RunConfig:
    """One training run.

    Attributes:
        name: what the weights are called, for example "propnet-s".
        network: what to train.
        recipe: how.
        out: folder for checkpoint, weights, metrics and plot; all processes of a run must see it.
        epochs: length of the run, or
        max_minutes: length of the run in time spent training; exactly one of the two is set.
        seed: of weights, order and augmentation; >= 0.
        workers: processes that load; 0 loads in this process (best on two cores).
        compile: fuse the network's blocks with torch.compile.
        precision: "bf16" computes the network in mixed precision, twice as fast where the hardware
            has it (`train.learning.precision` says where). The loss is float32 either way.
        recipe_name: for the notes in the weights.
        checkpoint_minutes: work that a kill may cost; 0 saves after every step.
        init: weights to start from instead of random ones, a shipped name or a .safetensors file.
        teachers: weights whose heatmaps are learned too (`train.learning.teacher`), like `init`.
        judging_counts: whether judging on the dev split counts as time spent, for runs that must be
            over at a certain time.
    """

    name: str
    network: PropNetConfig
    recipe: Recipe
    out: Path
    epochs: int | None
    max_minutes: float | None
    seed: int = 0
    workers: int = 0
    compile: bool = False
    precision: TrainingPrecision = "f32"
    recipe_name: str = ""
    checkpoint_minutes: float = 5.0
    init: str | None = None
    teachers: tuple[str, ...] = ()
    judging_counts: bool = False

    def __post_init__(self) -> None:
        if (self.epochs is None) == (self.max_minutes is None):
            raise InputError("give the length of the run: either --epochs or --max-minutes.")
        if self.epochs is not None and self.epochs < 1:
            raise InputError("--epochs must be at least 1.")
        # The comparison is false for NaN as well.
        if self.max_minutes is not None and not 0 < self.max_minutes < float("inf"):
            raise InputError("--max-minutes must be a number above 0.")
        if not 0 <= self.checkpoint_minutes < float("inf"):
            raise InputError("--checkpoint-minutes must be a number from 0 on.")
        if self.seed < 0:
            raise InputError("--seed must not be negative.")
        if self.seed > _LARGEST_SEED:
            raise InputError(f"--seed must not be above {_LARGEST_SEED}.")
        if self.precision not in PRECISIONS:
            raise InputError(f"unknown precision '{self.precision}': use bf16 or f32.")

    def settings(
        self, samples: Sequence[Sample], dev: Sequence[Sample], world_size: int
    ) -> dict[str, Any]:
        """What a resumed run must have in common with its start, as plain values."""
        return {
            "network": self.network.to_dict(),
            "recipe": self.recipe.to_dict(),
            "epochs": self.epochs,
            "max_minutes": self.max_minutes,
            "seed": self.seed,
            "precision": self.precision,
            "processes": world_size,
            "init": self.init,
            "teachers": [sha256(find_weights(t, ".safetensors")) for t in self.teachers] or None,
            "training data": faces_digest(samples),
            "dev data": faces_digest(dev),
        }

    def notes(self, samples: Sequence[Sample]) -> str:
        """Where weights come from, in words, with digests that tell two versions apart."""
        recipe = hashlib.sha256(json.dumps(self.recipe.to_dict()).encode()).hexdigest()
        return (
            f"recipe {self.recipe_name or 'unnamed'} ({recipe[:12]}), "
            f"{len(samples)} training faces ({faces_digest(samples)[:12]}), seed {self.seed}"
            # The folders are nobody else's business.
            + (f", from {Path(self.init).name}" if self.init else "")
            + (
                f", taught by {', '.join(Path(t).name for t in self.teachers)}"
                if self.teachers
                else ""
            )
        )


def completed(settings: dict[str, Any]) -> dict[str, Any]:
    """Settings of an older checkpoint, with what recipes did not have then at its default.

    A default leaves training as it was before the setting existed, so such a run can go on. What is
    no recipe of today stays as it is, and equals none.
    """
    try:
        # Through JSON, as from a file: a recipe is built from lists, not from tuples.
        plain = json.loads(json.dumps(settings["recipe"]))
        recipe: Recipe = build(Recipe, plain, "recipe")
    except (KeyError, InputError):
        return settings
    return {**settings, "recipe": recipe.to_dict()}


def faces_digest(samples: Sequence[Sample]) -> str:
    """SHA-256 of the labels, in order: the same wherever the pictures lie."""
    digest = hashlib.sha256()
    for sample in samples:
        digest.update(f"{sample.source} {sample.attributes} {sample.box.tolist()}".encode())
        digest.update(sample.points.tobytes())
    return digest.hexdigest()
