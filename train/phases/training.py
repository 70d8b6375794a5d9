"""The training of a campaign: as long, and in the way, that the machine allows."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from model.files import replacing
from train.phases.choice import choose
from train.phases.diary import Diary
from train.recipes.recipe import Recipe

# To load torch and the lists before, and to judge the last epoch after, on a rented machine.
_AROUND_SECONDS = 20.0
# In rehearsals of a few minutes that is too much to take off.
_LEAST_SHARE = 0.5


def plan_training(diary: Diary, recipe: Recipe, seconds: float) -> dict[str, Any]:
    """How to train, from what was measured before; a campaign that goes on keeps its plan.

    Args:
        diary: holds the reports of the phases "speed" and "speed-compiled".
        recipe: its batch is taken where nothing was measured.
        seconds: for training and all that belongs to it.

    Returns:
        minutes, batch and compile for `train.run`, with reasons; entered in the diary's facts.
    """
    if "training" not in diary.facts:
        reports = [diary.report(name) for name in ("speed", "speed-compiled")]
        choice = choose(reports, seconds, recipe.stages[-1].batch)
        # A run's length and recipe are part of what it is: with others it would not be resumed.
        diary.facts["training"] = {
            "minutes": round(max(seconds - _AROUND_SECONDS, _LEAST_SHARE * seconds) / 60, 4),
            "batch": choice.batch,
            "compile": choice.compiled,
            "learned_views_per_second": choice.views_per_second,
            "loaded_views_per_second": reports[0].get("loading_views_per_second"),
            "why": choice.why,
        }
        diary.write()
    plan: dict[str, Any] = diary.facts["training"]
    return plan


def write_recipe(path: Path, recipe: Recipe, batch: int) -> None:
    """Write a recipe with another batch as a file that `load_recipe` reads."""
    stages = tuple(replace(stage, batch=batch) for stage in recipe.stages)
    values = _plain(replace(recipe, stages=stages).to_dict())
    with replacing(path) as partial:
        partial.write_text(yaml.safe_dump(values, sort_keys=False), encoding="utf-8")


def _plain(value: object) -> object:
    """Tuples as lists: YAML knows no tuples."""
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    return [_plain(inner) for inner in value] if isinstance(value, (tuple, list)) else value
