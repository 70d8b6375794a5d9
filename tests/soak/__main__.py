"""`python -m tests.soak`: the tracker on a live stream for hours, and what became of it."""

from __future__ import annotations

import argparse
import json
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import suppress
from dataclasses import dataclass, fields
from pathlib import Path
from threading import Thread

import psutil

from tests.soak.broadcast import draw_rounds, play
from tests.soak.identities import Identities, identities

# Caches fill and the allocator finds its size meanwhile.
_WARM = 0.25  # share of the run that is not compared
# A frame's picture in the viewer's queue more or less, the interpreter's arenas.
_GROWTH = 12.0  # MB between the second and the last quarter that are no growth
_EVERY = 10.0  # seconds between two looks


@dataclass(frozen=True)
class Look:
    """What a process holds.

    Attributes:
        minutes: since its start.
        memory: resident, MB.
        handles: open files and sockets.
        threads: of the process.
        processor: seconds of processor time so far.
    """

    minutes: float
    memory: float
    handles: int
    threads: int
    processor: float


def main() -> int:
    """Run, and print what was seen; 1 if something grew, an id was wrong or the run failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=120.0)
    parser.add_argument("--out", type=Path, default=Path("build/soak"), help="its table and log")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    table, log = options.out / "table.csv", options.out / "looks.jsonl"
    stream, page = f"udp://127.0.0.1:{_free_port()}", _free_port()
    sender = Thread(target=play, args=(stream, draw_rounds(), 60 * options.minutes), daemon=True)
    sender.start()
    command = [
        *(sys.executable, "-m", "tracker.cli", stream, "--max-faces", "2", "--no-show"),
        *("--save", str(table), "--overwrite", "--reconnect", "60", "--serve", str(page)),
        *("--opensee", str(_free_port())),
    ]
    tracker = subprocess.Popen(command)
    looks = []
    with log.open("w") as lines:
        while sender.is_alive() and tracker.poll() is None:
            time.sleep(_EVERY)
            _visit(page)
            with suppress(psutil.NoSuchProcess):
                looks.append(_look(psutil.Process(tracker.pid)))
                print(json.dumps(looks[-1].__dict__), file=lines, flush=True)
    if tracker.poll() is None:
        tracker.send_signal(signal.SIGINT)
    code = tracker.wait(60)
    with table.open(newline="") as rows:
        found = identities(rows)
    faults = _faults(looks, found, code)
    print(_report(looks, found), *faults, sep="\n")
    return 1 if faults else 0


def _look(process: psutil.Process) -> Look:
    with process.oneshot():
        times = process.cpu_times()
        return Look(
            minutes=round((time.time() - process.create_time()) / 60, 2),
            memory=round(process.memory_info().rss / 2**20, 1),
            handles=process.num_fds() if hasattr(process, "num_fds") else process.num_handles(),
            threads=process.num_threads(),
            processor=round(times.user + times.system, 1),
        )


def _visit(page: int) -> None:
    """As a browser that looks for a moment and goes."""
    address = f"http://127.0.0.1:{page}/stream"
    with suppress(OSError), urllib.request.urlopen(address, timeout=2) as answer:
        answer.read(100_000)


def _parts(looks: list[Look]) -> tuple[list[Look], list[Look]]:
    """The second quarter of the run, and the last."""
    quarter = round(len(looks) * _WARM)
    return looks[quarter : 2 * quarter], looks[len(looks) - quarter :]


def _median(looks: list[Look], name: str) -> float:
    values = sorted(float(getattr(look, name)) for look in looks)
    return values[len(values) // 2] if values else float("nan")


def _faults(looks: list[Look], found: Identities, code: int) -> list[str]:
    early, late = _parts(looks)
    faults = [f"FAULT: {text}" for text in found.faults]
    if code:
        faults.append(f"FAULT: the tracker ended with {code}")
    if not early:
        return [*faults, "FAULT: too short to compare anything"]
    if _median(late, "memory") > _median(early, "memory") + _GROWTH:
        faults.append("FAULT: memory grew")
    for name in ("handles", "threads"):
        if _median(late, name) > _median(early, name):
            faults.append(f"FAULT: {name} grew")
    return faults


def _report(looks: list[Look], found: Identities) -> str:
    early, late = _parts(looks)
    lines = ["| | second quarter | last quarter | most |", "|---|---|---|---|"]
    for name in [field.name for field in fields(Look)][1:4]:
        most = max(getattr(look, name) for look in looks)
        lines.append(f"| {name} | {_median(early, name):g} | {_median(late, name):g} | {most:g} |")
    if looks:
        share = looks[-1].processor / (60 * looks[-1].minutes)
        lines.append(f"\n{looks[-1].minutes:.0f} minutes, {share:.0%} of a core.")
    lines.append(
        f"{found.frames} frames, {found.faces} faces, {found.ids} ids, the longest pause within "
        f"one {found.longest_pause:.2f} s; {found.silences} times no frame came for a second."
    )
    return "\n".join(lines)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    sys.exit(main())
