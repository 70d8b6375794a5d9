"""Where a network is weak, as a picture: one panel a condition."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator

from model.files import replacing
from train.robustness_probe.robustness_report import Blocks, Row

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D

_COLUMNS = 4
# Percent; errors span from pupils' to those of faces that were not found at all.
_TICKS = (1, 2, 3, 5, 10, 20, 50, 100)
_ERROR, _FOUND, _STATED = "tab:red", "tab:blue", "tab:orange"


def plot_robustness(blocks: Blocks, path: Path, title: str) -> None:
    """Write a PNG with the errors and the shares of faces found under every condition.

    Args:
        blocks: what to draw; blocks of one row are left out.
        path: the PNG; it appears complete or not at all.
        title: printed above the plots.
    """
    drawn = {name: rows for name, rows in blocks.items() if len(rows) > 1}
    count = -(-len(drawn) // _COLUMNS)
    # A figure of its own, without pyplot: no global state, no display.
    figure = Figure(figsize=(4.2 * _COLUMNS, 3.1 * count + 0.8), layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(title)
    panels = figure.subplots(count, _COLUMNS, squeeze=False).ravel()
    for axes, (name, rows) in zip(panels, drawn.items(), strict=False):
        lines = _draw(axes, name, rows)
    for axes in panels[len(drawn) :]:
        axes.set_axis_off()
    figure.legend(handles=lines, loc="outside lower center", ncols=len(lines))
    with replacing(path) as partial:
        figure.savefig(partial, dpi=110, format="png")


def _draw(axes: Axes, name: str, rows: list[Row]) -> list[Line2D]:
    """Errors on the left scale; found and stated, which should be equal, on the right one."""
    nan = float("nan")
    places = range(len(rows))
    nme = [nan if row.nme is None else row.nme for row in rows]
    found = [nan if row.over10 is None else 100 - row.over10 for row in rows]
    stated = [nan if row.confidence is None else row.confidence for row in rows]
    # Groups have no order, so nothing lies between them.
    line = "-" if rows[0].value is not None else ""
    shares = axes.twinx()
    lines = [
        *axes.plot(places, nme, "o" + line, color=_ERROR, label="NME %"),
        *shares.plot(
            places, found, "s" + line, color=_FOUND, alpha=0.6, label="error under 10 %, % of faces"
        ),
        *shares.plot(
            places, stated, "^" + line, color=_STATED, alpha=0.6, label="mean confidence %"
        ),
    ]
    axes.set_yscale("log")
    axes.set_ylim(_TICKS[0], 1.2 * _TICKS[-1])
    axes.yaxis.set_major_locator(FixedLocator(_TICKS))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter("{x:g}")
    axes.tick_params(axis="y", labelcolor=_ERROR)
    shares.tick_params(axis="y", labelcolor=_FOUND)
    shares.set_ylim(-3, 103)
    labels = [row.step.replace(" ", "\n") for row in rows]
    axes.set_xticks(list(places), labels, fontsize="small")
    axes.set_xlim(-0.5, len(rows) - 0.5)  # also where a group is empty
    axes.set_title(name, fontsize="medium")
    axes.grid(alpha=0.3)
    return lines
