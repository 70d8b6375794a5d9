"""Changes to a recipe, to be tried one at a time: a YAML file."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from model.errors import InputError
from train.recipes.recipe import RECIPES, Recipe
from train.recipes.yaml_settings import build, read_settings

SWEEPS = RECIPES / "sweeps"
# The run without any change, against which all others are held.
BASE = "base"
# Names are folders.
_NAME = re.compile(r"[a-z0-9][a-z0-9.-]*")


@dataclass(frozen=True)
class Change:
    """One thing done otherwise.

    Attributes:
        name: of the run's folder and the table's row; lower-case letters, digits, dots, dashes.
        recipe: settings of a recipe, nested; they replace the base's, lists as a whole.
        teachers: weights to learn from, see `train.recipes.run_config.RunConfig`.
    """

    name: str
    recipe: dict[str, Any] = field(default_factory=dict)
    teachers: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise InputError(
                f"a change is called {self.name!r}: use lower-case letters, digits, dots, dashes."
            )

    def apply(self, basis: Recipe) -> Recipe:
        """The changed recipe.

        Raises:
            InputError: an unknown setting or a wrong value.
        """
        merged = _merged(_plain(basis.to_dict()), self.recipe)
        recipe: Recipe = build(Recipe, merged, f"change {self.name}")
        return recipe


def load_changes(name: str) -> list[Change]:
    """Read changes by name (`train/recipes/sweeps/NAME.yaml`) or from a path; the first is "base".

    Raises:
        InputError: no such file, not a list of changes, or two of one name.
    """
    path, values = read_settings(name, SWEEPS, "list of changes")
    if not isinstance(values, list) or not values:
        raise InputError(f"{path} holds no list of changes.")
    changes: list[Change] = [Change(BASE), *build(tuple[Change, ...], values, str(path))]
    names = [change.name for change in changes]
    for twice in {name for name in names if names.count(name) > 1}:
        raise InputError(f"{path} names two changes {twice!r}; the run without any is 'base'.")
    return changes


def _merged(basis: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """`basis` with what `changes` holds, tables setting by setting."""
    merged = dict(basis)
    for key, value in changes.items():
        old = basis.get(key)
        both = isinstance(old, dict) and isinstance(value, dict)
        merged[key] = _merged(old, value) if both and old is not None else value
    return merged


def _plain(value: Any) -> Any:
    """Tuples as lists, as a YAML file has them."""
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    return [_plain(one) for one in value] if isinstance(value, list | tuple) else value
