"""The paper's ablations (section 4.4, Tables 4 to 7): which runs, and what the paper measured."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from model.config import PropNetConfig
from model.errors import InputError
from train.recipes.recipe import Recipe


@dataclass(frozen=True)
class Variant:
    """One network or loss to train, as changes to the baseline.

    Attributes:
        name: of its folder.
        network: changed settings of `PropNetConfig`.
        focal: Focal Wing instead of Adaptive Wing.
    """

    name: str
    network: dict[str, Any]
    focal: bool = False


# "Stacked hourglass model with ResNet block ... trained with adaptive wing loss". Whether it has
# CoordConv the paper does not say; a plain stacked hourglass has not, and neither has ours.
BASELINE: dict[str, Any] = {
    "block": "bottleneck",
    "propagation": False,
    "coord_conv": False,
    "blur_kernel": 0,
    "last_attention": False,
}

# In the order of the runs: after the second, one table is complete; the kernels of Table 6 that the
# paper does not use come last. "mhm" follows section 3.3: multi-view blocks, and anti-aliasing in
# place of pooling; "hpm" has the blocks alone, which the paper does not list.
VARIANTS = {
    variant.name: variant
    for variant in (
        Variant("baseline", {}),
        Variant("propagation", {"propagation": True}),
        Variant("mhm", {"block": "hpm", "blur_kernel": 3}),
        Variant("focal", {}, focal=True),
        Variant("blur3", {"blur_kernel": 3}),
        Variant("hpm", {"block": "hpm"}),
        Variant("blur2", {"blur_kernel": 2}),
        Variant("blur5", {"blur_kernel": 5}),
    )
}


@dataclass(frozen=True)
class Published:
    """Figures of the paper on the WFLW test set.

    Attributes:
        nme: percent.
        fr10: percent.
        auc10: 0 to 1.
    """

    nme: float
    fr10: float
    auc10: float


@dataclass(frozen=True)
class Entry:
    """One row of a table.

    Attributes:
        variant: key of `VARIANTS`.
        label: what the row is called.
        paper: the paper's figures; None where it has no such row.
    """

    variant: str
    label: str
    paper: Published | None = None


_BASELINE = Published(4.81, 3.36, 0.5132)

# Transcribed from the paper; all four tables are on the WFLW test set, 2,500 faces.
TABLES: dict[int, tuple[str, tuple[Entry, ...]]] = {
    4: (
        "Table 4, propagation module",
        (
            Entry("baseline", "without", _BASELINE),
            Entry("propagation", "with", Published(4.48, 3.12, 0.5421)),
        ),
    ),
    5: (
        "Table 5, multi-view hourglass",
        (
            Entry("baseline", "bottleneck block", _BASELINE),
            Entry("hpm", "multi-view block alone"),
            Entry("mhm", "multi-view hourglass", Published(4.67, 3.16, 0.5300)),
        ),
    ),
    6: (
        "Table 6, anti-aliasing",
        (
            Entry("baseline", "max pooling", _BASELINE),
            Entry("blur2", "kernel 2", Published(4.79, 3.80, 0.5178)),
            Entry("blur3", "kernel 3", Published(4.67, 3.16, 0.5300)),
            Entry("blur5", "kernel 5", Published(4.75, 3.76, 0.5200)),
        ),
    ),
    7: (
        "Table 7, loss",
        (
            Entry("baseline", "Adaptive Wing", _BASELINE),
            Entry("focal", "Focal Wing", Published(4.64, 3.32, 0.5195)),
        ),
    ),
}


def variants_of(tables: tuple[int, ...]) -> list[Variant]:
    """The runs that tables need, each once, in the order in which they should run.

    Raises:
        InputError: there is no such table.
    """
    unknown = sorted(set(tables) - set(TABLES))
    if unknown or not tables:
        what = f"table {unknown[0]}" if unknown else "no table"
        raise InputError(f"{what} holds no ablation: use some of {', '.join(map(str, TABLES))}.")
    needed = {entry.variant for number in tables for entry in TABLES[number][1]}
    return [variant for name, variant in VARIANTS.items() if name in needed]


def network_of(variant: Variant, size: PropNetConfig) -> PropNetConfig:
    """The variant's network with the stacks and channels of `size`."""
    return replace(size, **{**BASELINE, **variant.network})


def recipe_of(variant: Variant, recipe: Recipe) -> Recipe:
    """The recipe with the variant's loss."""
    return replace(recipe, loss=replace(recipe.loss, focal=variant.focal))
