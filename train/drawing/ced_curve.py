"""The cumulative error distribution as a picture."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

from model.files import replacing
from train.evaluation.metrics import area_under_curve, cumulative_curve, failure_rate

# The field plots to 10 %: what lies beyond counts as a failure.
LIMIT = 0.10


def plot_ced(errors: Mapping[str, NDArray[np.floating]], path: Path, title: str) -> None:
    """Write a PNG with one cumulative error curve per entry.

    Args:
        errors: name -> [N] errors as fractions, N > 0; infinity for faces not found.
        path: the PNG; it appears complete or not at all.
        title: printed above the plot.
    """
    # A figure of its own, without pyplot: no global state, no display, safe inside training.
    figure = Figure(figsize=(6.4, 4.8), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    for name, values in errors.items():
        x, y = cumulative_curve(values)
        label = (
            f"{name}  AUC@10 {area_under_curve(values, LIMIT):.3f}, "
            f"FR@10 {100 * failure_rate(values, LIMIT):.1f} %"
        )
        # The last step runs on to the edge of the plot.
        axes.step(
            np.append(100 * x, max(100, 100 * x[-1])),
            np.append(y, y[-1]),
            where="post",
            label=label,
        )
    axes.set(
        xlim=(0, 100 * LIMIT), ylim=(0, 1), xlabel="NME (%)", ylabel="share of faces", title=title
    )
    axes.grid(alpha=0.3)
    axes.legend(loc="lower right", fontsize="small")
    with replacing(path) as partial:
        figure.savefig(partial, dpi=150, format="png")
