"""What a probe of a network says: a table for people, JSON for programs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray
from rich.table import Table

from train.data.label_groups import opening_groups, region_errors, yaw_groups
from train.data.sample import Sample
from train.evaluation.metrics import summarize
from train.robustness_probe.conditions import CONDITIONS, Condition
from train.robustness_probe.probe import Probe, Series


@dataclass(frozen=True)
class Row:
    """A set of faces in one state.

    Attributes:
        step: what was changed, or which faces or landmarks these are.
        faces: how many.
        nme: mean error, percent; None without faces.
        over10: share of the faces with an error over 10 %, percent; None without faces.
        confidence: mean probability, as the network states it, that the face was found, i.e. that
            its error is under 10 %; percent. None without faces, for weights without a calibration,
            and for parts of a face.
        value: of the condition; None for groups.
    """

    step: str
    faces: int
    nme: float | None
    over10: float | None
    confidence: float | None
    value: float | None = None


# Condition or kind of group -> its rows.
Blocks = dict[str, list[Row]]


def report(
    result: Probe, samples: Sequence[Sample], conditions: Sequence[Condition] = CONDITIONS
) -> Blocks:
    """All rows: the clean pictures, every condition, and groups of faces and of landmarks.

    Args:
        result: what was measured.
        samples: on these faces.
        conditions: under these conditions.
    """
    truth = np.stack([sample.points for sample in samples])
    every = np.ones(len(samples), dtype=bool)
    blocks = {"clean": [_row("all faces", result.clean, every)]}
    for condition in conditions:
        blocks[condition.name] = [
            _row(condition.label(value), series, every, value)
            for value, series in zip(condition.values, result.steps[condition.name], strict=True)
        ]
    for name, groups in (
        ("yaw of the head, degrees", yaw_groups(samples)),
        ("eyes and mouth", opening_groups(samples)),
    ):
        blocks[name] = [_row(group, result.clean, mask) for group, mask in groups.items()]
    regions = region_errors(result.points, truth, result.markup)
    blocks["region of the face"] = [
        _row(name, Series(errors, None), every) for name, errors in regions.items()
    ]
    return blocks


def to_json(settings: Mapping[str, object], blocks: Blocks) -> dict[str, object]:
    """The settings at the top level, and every row of every block; names are those of `Row`."""
    rows = {name: [asdict(row) for row in block] for name, block in blocks.items()}
    return {**settings, "conditions": rows}


def to_table(title: str, blocks: Blocks) -> Table:
    """One section for each block."""
    table = Table(title=title, title_justify="left")
    table.add_column("condition")
    for name in ("step", "faces", "NME %", "over 10 %", "confidence %"):
        table.add_column(name, justify="right")
    for name, rows in blocks.items():
        for place, row in enumerate(rows):
            table.add_row(
                name if place == 0 else "",
                row.step,
                str(row.faces),
                _number(row.nme, 2),
                _number(row.over10, 1),
                _number(row.confidence, 1),
                end_section=place == len(rows) - 1,
            )
    return table


def _row(step: str, series: Series, mask: NDArray[np.bool_], value: float | None = None) -> Row:
    counted = mask & ~np.isnan(series.errors)
    if not counted.any():
        return Row(step, 0, None, None, None, value)
    summary = summarize(series.errors[counted])
    stated = series.confidence
    confidence = 100 * float(stated[counted].mean()) if stated is not None else None
    return Row(step, summary.n, summary.nme, summary.fr10, confidence, value)


def _number(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"
