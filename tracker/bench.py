"""`propnet-track bench`: how fast the tracker is on this machine, and where the time goes."""

from __future__ import annotations

import json
import tempfile
from dataclasses import asdict, replace
from fractions import Fraction
from pathlib import Path
from typing import Annotated, cast, get_args

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from model.errors import InputError
from model.files import replacing
from tracker.engines import ENGINES, Precision
from tracker.options import TrackerOptions
from tracker.portrait import portrait_frame, portrait_image, portrait_motion
from tracker.quiet import native_stderr_hidden
from tracker.stability import measure_stability
from tracker.stabilityplot import check_plotting, plot_stability
from tracker.timing import BenchResult, measure
from tracker.videoinfo import VideoInfo
from tracker.writer import VideoWriter

# The built-in clip: the portrait's four seconds, which loop without a jump.
_RATE = Fraction(30)
_FRAMES = 120
_SMALLEST, _LARGEST = 64, 8192  # pixels per side


def bench_command(
    *,
    source: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Video; default: the built-in clip.")
    ] = None,
    size: Annotated[
        str, typer.Option(metavar="WxH", help="Size of the built-in clip, pixels.")
    ] = "640x480",
    frames: Annotated[int, typer.Option(min=1, help="Frames to measure.")] = 300,
    weights: Annotated[
        str, typer.Option(metavar="NAME|FILE.onnx", help="Network: a shipped one or your own.")
    ] = "propnet-s",
    engine: Annotated[
        str, typer.Option(metavar="|".join(ENGINES), help="What runs the network.")
    ] = "auto",
    precision: Annotated[
        str, typer.Option(metavar="|".join(get_args(Precision)), help="Arithmetic of the engine.")
    ] = "auto",
    threads: Annotated[
        int | None, typer.Option(min=1, help="CPU threads of the engine; default: all cores.")
    ] = None,
    max_faces: Annotated[int, typer.Option(min=1, help="Faces to follow at once.")] = 1,
    write: Annotated[
        bool, typer.Option("--write/--no-write", help="Draw and encode an annotated video, too.")
    ] = True,
    stability: Annotated[
        bool,
        typer.Option(
            "--stability", help="Measure jitter and lag of every smoothing preset instead."
        ),
    ] = False,
    plot: Annotated[
        Path | None,
        typer.Option(metavar="FILE.png", help="With --stability: draw jitter against lag."),
    ] = None,
    json_file: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Write the figures there, too.")
    ] = None,
) -> None:
    """Measure frames per second from file to file, and the milliseconds of every stage."""
    if plot is not None and not stability:
        raise InputError("--plot draws what --stability measures: add --stability.")
    if stability:
        if source is not None:
            raise InputError("--stability has sequences of its own: drop --source.")
        _bench_stability(weights, engine, threads, json_file, plot)
        return
    if precision not in get_args(Precision):
        known = ", ".join(get_args(Precision))
        raise InputError(f"no precision {precision!r}; choose one of {known}.")
    options = TrackerOptions(
        max_faces=max_faces, threads=threads, precision=cast(Precision, precision)
    )
    with native_stderr_hidden(), tempfile.TemporaryDirectory(prefix="propnet-bench-") as folder:
        clip = source
        if clip is None:
            clip = Path(folder) / "portrait.mp4"
            write_clip(clip, parse_size(size))
        out = Path(folder) / "annotated.mp4" if write else None
        result = measure(clip, out, weights, engine, options, frames=frames)
    if source is None:
        result = replace(result, source="built-in clip")
    if json_file is not None:
        with replacing(json_file) as partial:
            partial.write_text(json.dumps(asdict(result), indent=2) + "\n", encoding="utf-8")
    _print(result)


def _bench_stability(
    weights: str, engine: str, threads: int | None, json_file: Path | None, plot: Path | None
) -> None:
    """Jitter, lag, flicker and NME of every preset, as a table, as JSON and as a plot."""
    if plot is not None:
        check_plotting(plot)
    with native_stderr_hidden():
        figures = measure_stability(weights, engine, threads)
    if json_file is not None:
        with replacing(json_file) as partial:
            values = {name: asdict(result) for name, result in figures.items()}
            partial.write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")
    if plot is not None:
        plot_stability(figures, plot)
    table = Table(box=None, pad_edge=False)
    for column in ("smoothing", "still jitter %", "lag ms", "moving flicker %", "moving NME %"):
        table.add_column(column, justify="left" if column == "smoothing" else "right")
    for name, result in figures.items():
        numbers = (result.jitter, result.lag_ms, result.flicker, result.nme)
        table.add_row(name, *(f"{value:.3f}" for value in numbers))
    console = Console(highlight=False)
    console.print(table)
    console.print(
        "in % of the outer eye corners' distance; truth: the network's own mean over shifted views",
        soft_wrap=True,
    )


def parse_size(text: str) -> tuple[int, int]:
    """Width and height from "640x480".

    Raises:
        InputError: not two whole numbers in range.
    """
    parts = text.lower().split("x")
    if len(parts) == 2 and all(part.isdecimal() for part in parts):
        width, height = (int(part) for part in parts)
        if all(_SMALLEST <= side <= _LARGEST for side in (width, height)):
            return width, height
    raise InputError(
        f"{text!r} is not a size: give WIDTHxHEIGHT, like 640x480, {_SMALLEST} to {_LARGEST} each."
    )


def write_clip(path: Path, size: tuple[int, int]) -> None:
    """Write the built-in clip: the portrait, moved by a known motion, scaled to a size.

    Args:
        path: a new .mp4 file.
        size: width and height, pixels.
    """
    width, height = size
    scale = min(width / 640, height / 480)
    fit = np.array([[scale, 0, (width - 640 * scale) / 2], [0, scale, (height - 480 * scale) / 2]])
    info = VideoInfo("portrait", None, width, height, _RATE, _FRAMES)
    image = portrait_image()
    with VideoWriter(path, info) as writer:
        for index, matrix in enumerate(portrait_motion(_FRAMES)):
            placed = fit @ np.vstack([matrix, [0, 0, 1]])
            writer.write(portrait_frame(image, placed, size), index / float(_RATE))


def _print(result: BenchResult) -> None:
    table = Table(box=None, pad_edge=False)
    table.add_column("stage")
    table.add_column("ms per frame", justify="right")
    table.add_column("thread")
    for stage, value in result.stage_ms.items():
        thread = {"read": "reader", "draw": "writer", "write": "writer"}.get(stage, "main")
        table.add_row(stage, f"{value:.2f}", thread)
    console = Console(highlight=False)
    console.print(table)
    memory = f", {result.peak_memory_mb:.0f} MB" if result.peak_memory_mb else ""
    console.print(
        f"{result.fps:.1f} frames/s at {result.width}x{result.height} with {result.weights} on "
        f"{result.engine}: {result.frames} frames, {result.faces_per_frame:.2f} faces per frame, "
        f"95 % of the frames under {result.frame_ms_p95:.0f} ms, {result.cores} cores{memory}, "
        f"ready after {result.startup_seconds:.1f} s",
        soft_wrap=True,
    )
