"""`propnet-track bench`: how fast the tracker is on this machine, and where the time goes."""

from __future__ import annotations

import tempfile
from dataclasses import asdict, replace
from itertools import product
from pathlib import Path
from time import perf_counter
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from model.errors import InputError
from model.files import reserve_output, write_json
from model.zoo import DEFAULT_WEIGHTS
from tracker.bench.bench_clip import clip_size, write_clip
from tracker.bench.bench_plan import (
    PRECISIONS,
    Choice,
    Limits,
    parse_engines,
    parse_faces,
    parse_weights,
)
from tracker.bench.bench_table import Run, bench_json, print_bench
from tracker.bench.chain_timing import measure
from tracker.bench.stability import measure_stability
from tracker.bench.stability_plot import check_plotting, plot_stability
from tracker.commands.run_options import FollowerOption
from tracker.engines.create import ENGINES
from tracker.system.native_stderr import native_stderr_hidden
from tracker.tracking.face_tracker import Tracker
from tracker.tracking.options import AUTO_FOLLOWER, TrackerOptions
from tracker.video.video_reader import VideoReader


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
        list[str],
        typer.Option(
            metavar="all|NAME|FILE.onnx,...",
            help="Networks: shipped ones or your own; may be repeated.",
        ),
    ] = [DEFAULT_WEIGHTS],  # noqa: B006  (typer wants a list and does not change it)
    follower: FollowerOption = AUTO_FOLLOWER,
    engine: Annotated[
        str,
        typer.Option(
            metavar="all|NAME[-PRECISION],...",
            help=f"What runs the networks: all that can here, or some of {', '.join(ENGINES)}.",
        ),
    ] = "auto",
    precision: Annotated[
        str, typer.Option(metavar="|".join(PRECISIONS), help="Of engines named without one.")
    ] = "auto",
    threads: Annotated[
        int | None,
        typer.Option(min=1, help="CPU threads of the engine; default: what keeps up."),
    ] = None,
    faces: Annotated[
        str,
        typer.Option(
            metavar="N,...", help="Faces to follow at once; the built-in clip has that many."
        ),
    ] = "1",
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
    for path in (json_file, plot):
        if path is not None:
            reserve_output(path, overwrite=True)
    networks = parse_weights(weights)
    choices, lenient = parse_engines(engine, precision)
    if stability:
        options = TrackerOptions(threads=threads, follower=follower)
        _bench_stability(source, networks, choices, options=options, json_file=json_file, plot=plot)
        return
    counts = parse_faces(faces)
    limits = Limits()
    runs: list[Run] = []
    missing: dict[str, str] = {}
    with native_stderr_hidden(), tempfile.TemporaryDirectory(prefix="propnet-bench-") as folder:
        clips = _clips(source, clip_size(size), counts, Path(folder))
        out = Path(folder) / "annotated.mp4" if write else None
        finished = []
        for network, choice, (count, clip) in product(networks, choices, clips.items()):
            options = TrackerOptions(
                max_faces=count, threads=threads, precision=choice.precision, follower=follower
            )
            begin = perf_counter()
            try:
                tracker = Tracker(network, choice.engine, options)
            except InputError as error:
                if not lenient:
                    raise
                missing[f"{network} on {choice.name}"] = str(error)
                continue
            ready = perf_counter() - begin
            if out is not None:
                out.unlink(missing_ok=True)
            with tracker:
                result = measure(clip, out, tracker, frames=frames, startup_seconds=ready)
            named = result.source if source is not None else "built-in clip"
            finished.append((network, choice, replace(result, source=named)))
        # Last, because it takes memory and all cores.
        for network, choice, result in finished:
            possible = limits.compare(network, choice.precision, result)
            runs.append(Run(choice.name, result, possible))
    if not runs:
        raise InputError(f"no engine can run here: {'; '.join(dict.fromkeys(missing.values()))}")
    if json_file is not None:
        write_json(json_file, bench_json(runs, missing, limits.measured))
    print_bench(runs, missing, limits.measured)


def _clips(
    source: Path | None, size: tuple[int, int], counts: tuple[int, ...], folder: Path
) -> dict[int, Path]:
    """Number of faces -> the clip to follow them in."""
    if source is not None:
        with VideoReader(source):  # it must be usable, whatever the engines are
            return dict.fromkeys(counts, source)
    clips = {count: folder / f"portraits-{count}.mp4" for count in counts}
    for count, path in clips.items():
        write_clip(path, size, count)
    return clips


def _bench_stability(
    source: Path | None,
    networks: tuple[str, ...],
    choices: tuple[Choice, ...],
    *,
    options: TrackerOptions,
    json_file: Path | None,
    plot: Path | None,
) -> None:
    """Jitter, lag, flicker and NME of every preset, as a table, as JSON and as a plot."""
    if source is not None:
        raise InputError("--stability has sequences of its own: drop --source.")
    if len(networks) > 1:
        raise InputError("--stability measures one network: give one --weights.")
    if len(choices) > 1:
        raise InputError("--stability measures one engine: give one --engine.")
    choice = choices[0]
    if plot is not None:
        check_plotting(plot)
    with native_stderr_hidden():
        options = replace(options, precision=choice.precision)
        figures = measure_stability(networks[0], choice.engine, options)
    if json_file is not None:
        write_json(json_file, {name: asdict(result) for name, result in figures.items()})
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
