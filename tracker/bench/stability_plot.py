"""The plot of `propnet-track bench --stability`: jitter against lag for every preset."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

from model.errors import InputError
from model.files import replacing
from tracker.bench.stability import Steadiness

_SUFFIXES = (".png", ".svg", ".pdf")


def check_plotting(path: Path) -> None:
    """Fail before the measurement rather than after it.

    Args:
        path: of the plot.

    Raises:
        InputError: matplotlib is missing, or it cannot write such a file.
    """
    if find_spec("matplotlib") is None:
        raise InputError("--plot needs matplotlib: pip install matplotlib.")
    if path.suffix.lower() not in _SUFFIXES:
        raise InputError(f"{path} cannot be a plot: name a file {', '.join(_SUFFIXES)}.")


def plot_stability(figures: Mapping[str, Steadiness], path: Path) -> None:
    """Draw every preset as a point: down is steadier, left is prompter.

    Args:
        figures: preset -> what was measured.
        path: .png, .svg or .pdf.

    Raises:
        InputError: the file cannot be written.
    """
    # Drawn without pyplot: no window system, and no state shared between threads.
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415
    from matplotlib.figure import Figure  # noqa: PLC0415

    figure = Figure(figsize=(6.0, 4.0), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    for name, result in figures.items():
        axes.plot(result.lag_ms, result.jitter, "o", color="tab:blue")
        axes.annotate(
            name, (result.lag_ms, result.jitter), textcoords="offset points", xytext=(6, 4)
        )
    axes.set_xlabel("lag at 0.5 Hz, ms")
    axes.set_ylabel("still jitter, % of the outer eye corners' distance")
    # Room for the names.
    axes.set_ylim(0, 1.15 * max(0.01, *(result.jitter for result in figures.values())))
    # Lags are near 0; without limits the axis would magnify their differences.
    axes.set_xlim(min(-5.0, *axes.get_xlim()), max(35.0, *axes.get_xlim()))
    axes.grid(alpha=0.3)
    with replacing(path) as partial:
        figure.savefig(partial, format=path.suffix[1:].lower(), dpi=120)
