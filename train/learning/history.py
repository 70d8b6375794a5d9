"""The record of a run: a CSV row per evaluation, and a plot of it."""

from __future__ import annotations

import csv
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from model.files import replacing


@dataclass(frozen=True)
class HistoryRow:
    """State of a run after an epoch.

    Attributes:
        epoch: epochs finished.
        step: optimiser steps.
        images: faces trained on, augmented views counted singly.
        minutes: time spent, over all resumptions.
        size: input side of the epoch, pixels.
        learning_rate: at the end of the epoch.
        loss: mean training loss of the epoch.
        dev_nme: NME of the averaged weights on the dev split, percent.
    """

    epoch: int
    step: int
    images: int
    minutes: float
    size: int
    learning_rate: float
    loss: float
    dev_nme: float


def write_history(path: Path, rows: list[HistoryRow]) -> None:
    """Write all rows as CSV."""
    with replacing(path) as partial, partial.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(HistoryRow)])
        writer.writeheader()
        writer.writerows(
            {k: f"{v:.6g}" if isinstance(v, float) else v for k, v in asdict(row).items()}
            for row in rows
        )


def plot_history(path: Path, rows: list[HistoryRow]) -> None:
    """Plot loss and dev NME over the faces trained on, as PNG."""
    # Imported here: matplotlib takes a second that a training start need not wait for.
    from matplotlib.figure import Figure  # noqa: PLC0415

    figure = Figure(figsize=(8, 4), layout="constrained")
    left = figure.subplots()
    right = left.twinx()
    images = [row.images / 1000 for row in rows]
    # Dots, because a line through the only epoch so far would be invisible.
    (loss,) = left.plot(images, [row.loss for row in rows], ".-", color="tab:gray", label="loss")
    (nme,) = right.plot(
        images, [row.dev_nme for row in rows], ".-", color="tab:blue", label="dev NME"
    )
    left.set(xlabel="faces trained on (thousands)", ylabel="training loss", yscale="log")
    right.set(ylabel="dev NME (%)", yscale="log")
    right.legend(handles=[loss, nme])
    with replacing(path) as partial:
        figure.savefig(partial, dpi=120)
