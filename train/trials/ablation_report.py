"""What the runs of the ablations found, beside the paper's figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.table import Table

from model.errors import InputError
from train.trials.paper_variants import TABLES, Entry, Variant
from train.trials.trial_results import check_budgets, figure, figure_text, read_trials, spread

RESULT = "ablation.json"

# What must be equal for two runs to be compared; views may differ by an epoch's last batch.
_BUDGET = ("epochs", "size", "batch", "recipe", "training_faces", "n")


@dataclass(frozen=True)
class AblationResult:
    """Score of one run: the last epoch's averaged weights on the dev split, true box.

    Attributes:
        variant: key of `train.trials.paper_variants.VARIANTS`.
        seed: of the run.
        views: faces trained on.
        epochs: length of the run.
        size: side of the input, pixels.
        batch: faces per step and process.
        recipe: its name.
        training_faces: their number.
        parameters: of the network in training.
        n: dev faces.
        nme: percent.
        fr10: percent.
        auc10: 0 to 1.
    """

    variant: str
    seed: int
    views: int
    epochs: int
    size: int
    batch: int
    recipe: str
    training_faces: int
    parameters: int
    n: int
    nme: float
    fr10: float
    auc10: float


def read_results(out: Path, variants: Sequence[Variant]) -> list[AblationResult]:
    """Results of all finished runs of some variants, whatever their seeds.

    Raises:
        InputError: a damaged file, no finished run, or runs of different budgets.
    """
    names = {variant.name for variant in variants}
    results = [
        r for r in read_trials(out, RESULT, AblationResult, "ablation") if r.variant in names
    ]
    if not results:
        raise InputError(f"{out} holds no finished run of these tables: run the ablation first.")
    check_budgets(out, results, _BUDGET)
    return results


def to_json(results: Sequence[AblationResult], tables: Sequence[int]) -> dict[str, Any]:
    """The report for programs: every table with its rows, ours and the paper's."""
    return {
        "dataset": "dev split, true box, last epoch",
        "paper_dataset": "WFLW test set",
        "budget": {key: getattr(results[0], key) for key in _BUDGET},
        "tables": {
            str(number): {
                "title": TABLES[number][0],
                "rows": [_row(entry, results) for entry in TABLES[number][1]],
            }
            for number in tables
        },
    }


def to_tables(results: Sequence[AblationResult], tables: Sequence[int]) -> list[Table]:
    """The report for people."""
    first, shown = results[0], []
    for number in tables:
        table = Table(
            title=f"{TABLES[number][0]}: {first.n} dev faces, {first.size} px, {first.epochs} "
            f"epochs (paper: WFLW test set)",
            title_justify="left",
        )
        table.add_column("")
        for name in ("seeds", "views", "params", "NME %", "change", "FR@10 %", "AUC@10"):
            table.add_column(name, justify="right")
        for name in ("NME %", "change", "FR@10 %", "AUC@10"):
            table.add_column(f"paper\n{name}", justify="right")
        entries = TABLES[number][1]
        for entry in entries:
            row, paper, base = _row(entry, results), entry.paper, entries[0].paper
            ours = ["0", *["-"] * 6]
            if row["seeds"]:
                ours = [
                    str(len(row["seeds"])),
                    str(round(row["views"])),
                    f"{row['parameters'] / 1e6:.2f} M",
                    figure_text(row["nme"], 2),
                    figure_text(row["change"], 2, sign="+"),
                    figure_text(row["fr10"], 2),
                    figure_text(row["auc10"], 4),
                ]
            theirs = ["-"] * 4
            if paper and base:
                change = "" if entry is entries[0] else f"{paper.nme - base.nme:+.2f}"
                theirs = [f"{paper.nme:.2f}", change, f"{paper.fr10:.2f}", f"{paper.auc10:.4f}"]
            table.add_row(entry.label, *ours, *theirs)
        shown.append(table)
    return shown


def _row(entry: Entry, results: Sequence[AblationResult]) -> dict[str, Any]:
    """Our figures of a row, means with their deviations over seeds, and the paper's.

    `change` is the difference in NME to the baseline of the same seed, whose views and start have
    the same order: it spreads less than the two figures do.
    """
    own = {result.seed: result for result in results if result.variant == entry.variant}
    base = {result.seed: result for result in results if result.variant == "baseline"}
    paper = {"paper": asdict(entry.paper) if entry.paper else None}
    row: dict[str, Any] = {"variant": entry.variant, "label": entry.label, "seeds": sorted(own)}
    if not own:
        return {**row, **paper}
    changes = [own[seed].nme - base[seed].nme for seed in own if seed in base]
    compared = entry.variant != "baseline" and changes
    return {
        **row,
        "views": float(np.mean([result.views for result in own.values()])),
        "parameters": next(iter(own.values())).parameters,
        **{name: figure([*own.values()], name) for name in ("nme", "fr10", "auc10")},
        "change": asdict(spread(changes)) if compared else None,
        **paper,
    }
