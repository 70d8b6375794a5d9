"""Reliability diagram and ROC curves as a picture."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from model.files import replacing
from train.confidence.calibration_fit import Assessment
from train.confidence.logistic_regression import BINS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# The least rate of false alarms on the axis: there are hundreds of views, not thousands.
_LEAST = 2e-3


def plot_confidence(result: Assessment, path: Path, title: str) -> None:
    """Write a PNG: stated against observed shares, how often which was stated, and ROC curves.

    Args:
        result: what to draw.
        path: the PNG; it appears complete or not at all.
        title: printed above the plots.
    """
    # A figure of its own, without pyplot: no global state, no display.
    figure = Figure(figsize=(11, 4.8), layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(title)
    left, right = figure.subplots(1, 2)
    _draw_reliability(left, result)
    _draw_roc(right, result)
    with replacing(path) as partial:
        figure.savefig(partial, dpi=150, format="png")


def _draw_reliability(axes: Axes, result: Assessment) -> None:
    axes.plot([0, 1], [0, 1], color="grey", linewidth=1, linestyle="--")
    both = (("face", result.face, "o-", -0.022), ("point", result.point, "s-", 0.022))
    for name, bins, style, side in both:
        full = bins.count > 0
        label = f"{name}  calibration error {100 * bins.error:.1f} %"
        (line,) = axes.plot(bins.stated[full], bins.happened[full], style, label=label)
        # How often each tenth was stated, as bars that fill a third of the plot at most.
        middles = [(i + 0.5) / BINS + side for i in range(BINS)]
        axes.bar(
            middles, bins.count / bins.count.sum() / 3, 0.04, color=line.get_color(), alpha=0.25
        )
    axes.set(
        xlim=(0, 1),
        ylim=(0, 1),
        xlabel="stated probability",
        ylabel="share that was right (bars: how often stated)",
        title="reliability",
    )
    axes.grid(alpha=0.3)
    axes.legend(loc="upper left", fontsize="small")


def _draw_roc(axes: Axes, result: Assessment) -> None:
    curves = (
        ("faces in sight or places without", result.face_roc),
        ("landmarks found or not, all views", result.found_roc),
        ("points right or not, all views", result.point_roc),
    )
    for name, (alarms, hits, area) in curves:
        label = f"{name}  AUC {area:.5f}"
        axes.step(alarms.clip(min=_LEAST), hits, where="post", label=label)
    axes.set(
        xscale="log",
        xlim=(_LEAST, 1),
        ylim=(0, 1.01),
        xlabel="rate of false alarms",
        ylabel="rate of hits",
        title="ROC",
    )
    axes.grid(alpha=0.3)
    axes.legend(loc="lower right", fontsize="small")
