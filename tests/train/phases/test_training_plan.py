"""From measured speeds to a plan, and the recipe that it is run with."""

from pathlib import Path
from typing import Any

import pytest

from train.phases.choice import choose
from train.phases.diary import Diary
from train.phases.training import plan_training, write_recipe
from train.recipes.recipe import load_recipe


def step(batch: int, rate: float, warm_up: float, compiled: bool = False) -> dict[str, Any]:
    return {
        "batch": batch,
        "compiled": compiled,
        "views_per_second": rate,
        "warm_up_seconds": warm_up,
        "problem": "",
    }


EAGER = {"steps": [step(32, 500, 2), step(64, 600, 4), {**step(128, 9e9, 0), "problem": "memory"}]}
COMPILED = {"steps": [step(64, 800, 100, True)]}


def test_the_most_views_win() -> None:
    # 600 (s - 4) against 800 (s - 100): compiling pays from 388 seconds on.
    for seconds, compiled in ((387, False), (389, True)):
        choice = choose([EAGER, COMPILED], seconds, 16)
        assert (choice.batch, choice.compiled) == (64, compiled)
        assert choice.views_per_second == (800 if compiled else 600)
        assert "eager 32: 500/s after 2 s" in choice.why
        assert "128" not in choice.why
    assert choose([EAGER, {}], 1000, 16).batch == 64


@pytest.mark.parametrize("reports", [[], [{}, {}], [{"steps": [EAGER["steps"][2]]}]])
def test_without_figures_the_recipe_is_taken_as_it_is(reports: list[dict[str, Any]]) -> None:
    choice = choose(reports, 100, 16)
    assert (choice.batch, choice.compiled, choice.views_per_second) == (16, False, 0)
    assert "nothing was measured" in choice.why


def test_a_plan_is_kept(tmp_path: Path) -> None:
    recipe = load_recipe("gpu-campaign")
    plan = plan_training(Diary(tmp_path, tmp_path), recipe, 500)
    assert plan["minutes"] == 8
    assert plan["batch"] == recipe.stages[-1].batch
    # A campaign that goes on later has less time and the same plan.
    assert plan_training(Diary(tmp_path, tmp_path), recipe, 100) == plan


def test_a_short_plan_still_trains(tmp_path: Path) -> None:
    plan = plan_training(Diary(tmp_path, tmp_path), load_recipe("gpu-campaign"), 30)
    assert plan["minutes"] == 0.25


@pytest.mark.parametrize("name", ["gpu-campaign", "gpu", "paper"])
def test_the_recipe_as_it_was_but_for_the_batch(tmp_path: Path, name: str) -> None:
    recipe = load_recipe(name)
    write_recipe(tmp_path / "recipe.yaml", recipe, 7)
    back = load_recipe(str(tmp_path / "recipe.yaml"))
    assert {stage.batch for stage in back.stages} == {7}
    write_recipe(tmp_path / "again.yaml", back, recipe.stages[0].batch)
    if len({stage.batch for stage in recipe.stages}) == 1:
        assert load_recipe(str(tmp_path / "again.yaml")) == recipe
