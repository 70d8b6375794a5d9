"""What the runs of a sweep found, each beside the run without a change."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from rich.table import Table

from model.errors import InputError
from train.ablationreport import spread
from train.changes import BASE

RESULT = "sweep.json"
# What must be equal for two runs to be compared. Not views: a change may be to serve more faces.
_BUDGET = ("epochs", "recipe", "training_faces", "n")


@dataclass(frozen=True)
class Result:
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


def read_results(out: Path) -> list[Result]:
    """Results of all finished runs of a folder.

    Raises:
        InputError: a damaged file, no finished run, or runs of different budgets.
    """
    names = [field.name for field in fields(Result)]
    results = []
    for path in sorted(out.glob(f"*/{RESULT}")):
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
            results.append(Result(**{name: values[name] for name in names}))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InputError(f"{path} is damaged: delete it and run the sweep again.") from error
    if not results:
        raise InputError(f"{out} holds no finished run: run the sweep first.")
    for key in _BUDGET:
        found = sorted({getattr(result, key) for result in results})
        if len(found) > 1:
            raise InputError(
                f"the runs in {out} differ in '{key}' ({', '.join(map(str, found))}): compare only "
                "runs of equal budgets, each budget in a folder of its own."
            )
    return results


def to_rows(results: Sequence[Result]) -> list[dict[str, Any]]:
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
                "nme": asdict(spread([result.nme for result in own])),
                "nme_detector": asdict(spread(detected)) if (detected := _detected(own)) else None,
                "nme_flip": asdict(spread([result.nme_flip for result in own])),
                "opening": asdict(spread([result.opening for result in own])),
                "closed": asdict(spread(closed)) if (closed := _closed(own)) else None,
                "halves": [float(v) for v in np.mean([result.halves for result in own], axis=0)],
                "difference": asdict(spread(changes)) if changes else None,
            }
        )
    return sorted(rows, key=lambda row: (row["change"] != BASE, row["nme"]["mean"], row["change"]))


def to_table(results: Sequence[Result]) -> Table:
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
            _text(row["nme"]),
            _text(row["difference"], "+"),
            " ".join(f"{half:.2f}" for half in row["halves"]),
            _text(row["nme_detector"]),
            _text(row["nme_flip"]),
            _text(row["opening"]),
            _text(row["closed"]),
        )
    return table


def _detected(results: Sequence[Result]) -> list[float]:
    """Figures with the detector's boxes, where it found any face."""
    return [result.nme_detector for result in results if result.nme_detector is not None]


def _closed(results: Sequence[Result]) -> list[float]:
    """Figures of closed eyes, where there are any."""
    return [result.closed for result in results if result.closed is not None]


def _text(value: dict[str, Any] | None, sign: str = "") -> str:
    if value is None:
        return ""
    text = f"{value['mean']:{sign}.3f}"
    return text if value["deviation"] is None else f"{text} ± {value['deviation']:.3f}"
