"""What an evaluation says: the table for people, the JSON for programs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict

import numpy as np
from numpy.typing import NDArray
from rich.table import Table

from train.data.sample import ATTRIBUTES, Sample
from train.evaluation.landmark_errors import Evaluation
from train.evaluation.metrics import ErrorSummary, summarize


def attribute_subsets(
    samples: Sequence[Sample], errors: NDArray[np.float64]
) -> dict[str, NDArray[np.float64]]:
    """Errors of the faces with each WFLW attribute: the six official test subsets.

    Args:
        samples: N faces.
        errors: [N].

    Returns:
        attribute -> [n] errors, n = 0 where no face has it.
    """
    flags = np.array([sample.attributes for sample in samples], dtype=bool)
    return {name: errors[flags[:, index]] for index, name in enumerate(ATTRIBUTES)}


def by_source(
    samples: Sequence[Sample], errors: NDArray[np.float64]
) -> dict[str, NDArray[np.float64]]:
    """Errors [N] split by the samples' source, in alphabetical order."""
    sources = np.array([sample.source for sample in samples])
    return {str(name): errors[sources == name] for name in np.unique(sources)}


def summaries(groups: Mapping[str, NDArray[np.float64]]) -> dict[str, ErrorSummary | None]:
    """Summary of each group of errors, None for an empty one."""
    return {name: summarize(errors) if len(errors) else None for name, errors in groups.items()}


def to_json(
    settings: Mapping[str, object],
    total: ErrorSummary,
    subsets: Mapping[str, ErrorSummary | None],
    sources: Mapping[str, ErrorSummary | None],
) -> dict[str, object]:
    """The JSON document of an evaluation.

    Args:
        settings: dataset, split, box, normalizer, weights and the like.
        total: all faces.
        subsets: by attribute; empty where the dataset has none.
        sources: by source.

    Returns:
        `settings` and the fields of `Summary` at the top level (nme, nme_median, fr8 and fr10 in
        percent; auc8, auc10 and detected 0..1), and the same fields for every subset and source.
        An empty group is null.
    """

    def plain(group: Mapping[str, ErrorSummary | None]) -> dict[str, object]:
        return {name: None if row is None else asdict(row) for name, row in group.items()}

    return {
        **settings,
        **asdict(total),
        "subsets": plain(subsets),
        "sources": plain(sources),
    }


def offset_figures(result: Evaluation) -> dict[str, float | None]:
    """What all points have in common, percent, for the JSON; None where no face was found."""
    names = ("offset_x", "offset_y", "nme_centred")
    return {
        name: 100 * float(value) if np.isfinite(value) else None
        for name, value in zip(names, (*result.offset, result.centred), strict=True)
    }


def offset_sentence(result: Evaluation) -> str:
    """The same in words."""
    if not np.isfinite(result.centred):
        return "no face was found"
    x, y = 100 * result.offset
    return (
        f"all points together lie {abs(x):.2f} % {'right' if x > 0 else 'left'} of and "
        f"{abs(y):.2f} % {'below' if y > 0 else 'above'} their labels; without that offset the NME "
        f"is {100 * result.centred:.3f} %"
    )


def to_table(title: str, rows: Mapping[str, ErrorSummary | None]) -> Table:
    """A table with one row for each group of faces."""
    table = Table(title=title, title_justify="left")
    table.add_column("faces of")
    names = ("n", "found %", "NME %", "median %", "FR@8 %", "FR@10 %", "AUC@8", "AUC@10")
    for name in names:
        table.add_column(name, justify="right")
    for group, row in rows.items():
        if row is None:
            table.add_row(group, "0", *["-"] * (len(names) - 1))
            continue
        table.add_row(
            group,
            str(row.n),
            f"{100 * row.detected:.1f}",
            _number(row.nme),
            _number(row.nme_median),
            f"{row.fr8:.2f}",
            f"{row.fr10:.2f}",
            f"{row.auc8:.4f}",
            f"{row.auc10:.4f}",
        )
    return table


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
