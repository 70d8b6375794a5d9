"""The table of `propnet-track bench`: a column per run, a row per figure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rich.console import Console
from rich.measure import Measurement
from rich.table import Table

from tracker.bench.bench_plan import Possible
from tracker.bench.chain_timing import STAGES, BenchResult
from tracker.bench.device_limit import Limit
from tracker.system.counted import counted

_THREADS = {"read": "reader", "draw": "writer", "write": "writer"}
# Under this share of the faces asked for, a run is not what its heading says.
_FOUND = 0.95


@dataclass(frozen=True)
class Run:
    """One column.

    Attributes:
        engine: name and precision, as asked for.
        result: what was measured.
        possible: what the device could do; None where that is not known.
    """

    engine: str
    result: BenchResult
    possible: Possible | None


def bench_json(
    runs: Sequence[Run], missing: Mapping[str, str], limits: Mapping[str, Limit | None]
) -> dict[str, Any]:
    """The figures for a JSON file."""
    return {
        "runs": [
            {
                **asdict(run.result),
                "name": run.engine,
                "limit": asdict(run.possible) if run.possible else None,
            }
            for run in runs
        ],
        "limits": {name: asdict(limit) for name, limit in limits.items() if limit},
        "not_run": dict(missing),
    }


def print_bench(
    runs: Sequence[Run], missing: Mapping[str, str], limits: Mapping[str, Limit | None]
) -> None:
    """Print the table and what belongs to it.

    Args:
        runs: at least one, all of one source and size.
        missing: engine -> why it was not run.
        limits: what was measured of the devices.
    """
    console = Console(highlight=False)
    table = _table(runs)
    # Never cut off, however narrow the terminal.
    needed = Measurement.get(console, console.options.update(max_width=10_000), table).maximum
    Console(highlight=False, width=max(console.width, needed)).print(table)
    for line in _lines(runs, missing, limits):
        console.print(line, soft_wrap=True, markup=False)


def _table(runs: Sequence[Run]) -> Table:
    first = runs[0].result
    table = Table(
        box=None,
        pad_edge=False,
        title=f"{first.source}, {first.width}x{first.height}, "
        f"{counted(first.frames, 'frame')}, {counted(first.cores, 'core')}",
        title_justify="left",
    )
    table.add_column("milliseconds per frame", no_wrap=True)
    table.add_column("thread", no_wrap=True)
    for run in runs:
        follower = f" + {run.result.follower}" if run.result.follower else ""
        faces = counted(run.result.faces, "face")
        heading = f"{run.result.weights}{follower}\n{run.engine}\n{faces}"
        table.add_column(heading, justify="right", no_wrap=True)

    def row(name: str, thread: str, figure: Callable[[Run], float | None], digits: int) -> None:
        values = [figure(run) for run in runs]
        if any(value is not None for value in values):
            cells = ("-" if value is None else f"{value:.{digits}f}" for value in values)
            table.add_row(name, thread, *cells)

    for stage in STAGES:
        row(stage, _THREADS.get(stage, "main"), lambda r, s=stage: r.result.stage_ms.get(s), 2)  # type: ignore[misc]
    table.add_section()
    row("sum of the stages", "", lambda r: r.result.busy_ms, 1)
    row("one frame, end to end", "", lambda r: r.result.wall_ms, 1)
    row("95 % of the frames under", "", lambda r: r.result.frame_ms_p95, 1)
    row("processor time", "all", lambda r: r.result.cpu_ms, 1)
    row("least for the network", "", lambda r: r.possible.ms if r.possible else None, 2)
    row("engine / least", "", lambda r: r.possible.times if r.possible else None, 1)
    row("frames/s", "", lambda r: r.result.fps, 1)
    row("faces per frame", "", lambda r: r.result.faces_per_frame, 2)
    row("ready after, s", "", lambda r: r.result.startup_seconds, 1)
    row("memory at the start, MB", "", lambda r: r.result.memory.start, 0)
    row("after a quarter, MB", "", lambda r: r.result.memory.quarter, 0)
    row("at the end, MB", "", lambda r: r.result.memory.end, 0)
    row("peak, MB", "", lambda r: r.result.memory.peak, 0)
    row("its growth after a quarter", "", lambda r: r.result.memory.peak_growth, 1)
    return table


def _lines(
    runs: Sequence[Run], missing: Mapping[str, str], limits: Mapping[str, Limit | None]
) -> list[str]:
    described = {run.engine: run.result.engine for run in runs}
    lines = [f"{name}: {engine}" for name, engine in described.items()]
    for name, limit in limits.items():
        if limit is None:
            lines.append(f"limit of {name}: not measured: it takes torch.")
        else:
            speed, bandwidth = limit.macs / 1e9, limit.bandwidth / 1e9
            lines.append(f"limit of {name}: {speed:.0f} GMAC/s, {bandwidth:.1f} GB/s")
    # Engines that fail for the same reason share a line.
    reasons: dict[str, list[str]] = {}
    for name, reason in missing.items():
        reasons.setdefault(reason, []).append(name)
    lines += [f"not run: {', '.join(names)}: {reason}" for reason, names in reasons.items()]
    lines += [
        f"{run.result.weights}, {run.engine}: only {run.result.faces_per_frame:.2f} of "
        f"{run.result.faces} faces were followed."
        for run in runs
        if run.result.faces_per_frame < _FOUND * run.result.faces
    ]
    return lines
