"""What the runs of a sweep found, each beside the run without a change."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.table import Table

from model.errors import InputError
from train.trials.recipe_changes import BASE
from train.trials.trial_results import check_budgets, figure, figure_text, read_trials, spread

RESULT = "sweep.json"
# What must be equal for two runs to be compared. Not views: a change may be to serve more faces.
_BUDGET = ("epochs", "recipe", "training_faces", "n")


@dataclass(frozen=True)
class SweepResult:
    """Scores of one run: the last epoch's averaged weights on the dev split.

    Attributes:
        change: its name.
        seed: of the run.
        views: faces trained on.
        minutes: time spent training.
        epochs: length of the run.
        size: side of the input, pixels.
        recipe: name of the recipe that was changed.
        training_faces: their number.
        n: dev faces.
        nme: percent, true box.
        halves: the same of the even and of the odd faces.
        nme_detector: percent, detector's box, of the faces found; None if there is none.
        nme_flip: percent, true box, with the mirrored crop.
        opening: mean difference of the eyes' opening to that of the labels.
        closed: mean opening, as the network has it, of faces whose eyes are closed by their labels;
            None if there is none.
    """

    change: str
    seed: int
    views: int
    minutes: float
    epochs: int
    size: int
    recipe: str
    training_faces: int
    n: int
    nme: float
    halves: list[float]
    nme_detector: float | None
    nme_flip: float
    opening: float
    closed: float | None


def read_results(out: Path) -> list[SweepResult]:
    """Results of all finished runs of a folder.

    Raises:
        InputError: a damaged file, no finished run, or runs of different budgets.
    """
    results = read_trials(out, RESULT, SweepResult, "sweep")
    if not results:
        raise InputError(f"{out} holds no finished run: run the sweep first.")
    check_budgets(out, results, _BUDGET)
    return results


def to_rows(results: Sequence[SweepResult]) -> list[dict[str, Any]]:
    """One row a change, the base first, then from the lowest NME to the highest.

    `change` is the difference in NME to the base of the same seed: where a change leaves the faces
    served as they are, both saw the same views in the same order.

    Returns:
        Plain values; figures are {"mean", "deviation"} over the seeds.
    """
    bases = {result.seed: result.nme for result in results if result.change == BASE}
    rows = []
    for name in {result.change for result in results}:
        own = [result for result in results if result.change == name]
        changes = [r.nme - bases[r.seed] for r in own if r.seed in bases and name != BASE]
        rows.append(
            {
                "change": name,
                "seeds": sorted(result.seed for result in own),
                "size": own[0].size,
                "views": float(np.mean([result.views for result in own])),
                "minutes": float(np.mean([result.minutes for result in own])),
                **{
                    key: figure(own, key)
                    for key in ("nme", "nme_detector", "nme_flip", "opening", "closed")
                },
                "halves": [float(v) for v in np.mean([result.halves for result in own], axis=0)],
                "difference": asdict(spread(changes)) if changes else None,
            }
        )
    return sorted(rows, key=lambda row: (row["change"] != BASE, row["nme"]["mean"], row["change"]))


def to_table(results: Sequence[SweepResult]) -> Table:
    """The rows for people."""
    first = results[0]
    table = Table(
        title=f"changes to {first.recipe}, one at a time: {first.n} dev faces, {first.epochs} "
        "epochs",
        title_justify="left",
    )
    table.add_column("change")
    for name in ("seeds", "px", "views", "min", "NME %", "difference", "halves", "detector"):
        table.add_column(name, justify="right")
    for name in ("mirrored too", "eyes off by", "closed eyes"):
        table.add_column(name, justify="right")
    for row in to_rows(results):
        table.add_row(
            row["change"],
            str(len(row["seeds"])),
            str(row["size"]),
            str(round(row["views"])),
            f"{row['minutes']:.1f}",
            figure_text(row["nme"], 3),
            figure_text(row["difference"], 3, "+"),
            " ".join(f"{half:.2f}" for half in row["halves"]),
            figure_text(row["nme_detector"], 3),
            figure_text(row["nme_flip"], 3),
            figure_text(row["opening"], 3),
            figure_text(row["closed"], 3),
        )
    return table
