"""Reads damaged files in children, which may die, hang, or take all memory."""

from __future__ import annotations

import contextlib
import faulthandler
import json
import os
import pickle
import resource
import select
import shutil
import signal
import time
import traceback
import warnings
from argparse import Namespace
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

from tests.fuzz.mutations import damaged
from tests.fuzz.readers import KINDS, Kind

READ, REFUSED, TRACEBACK, CRASH, HANG, MEMORY = (
    "read", "refused", "traceback", "crash", "hang", "over memory",
)  # fmt: skip
OUTCOMES = (READ, REFUSED, TRACEBACK, CRASH, HANG, MEMORY)
FAULTS = OUTCOMES[2:]
_PER_CHILD = 300  # inputs, so that what a library does not give back is given back
_LONGEST = 500  # characters of a sentence
_KEPT = 30  # inputs of a kind that are kept


@dataclass(frozen=True)
class Limits:
    """What reading one file may take.

    Attributes:
        seconds: until it counts as hung.
        megabytes: of the whole process at its peak.
        allocatable: megabytes that can be had at all; protects the machine.
    """

    seconds: float = 30.0
    megabytes: int = 1000
    allocatable: int = 4000


@dataclass
class Tally:
    """What became of the inputs of a kind.

    Attributes:
        counts: outcome -> inputs.
        faults: what is kept of those that show a fault.
        seconds: that it took.
    """

    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(OUTCOMES, 0))
    faults: list[str] = field(default_factory=list)
    seconds: float = 0.0


def run_kind(
    kind: Kind,
    name: str,
    folder: Path,
    keep: Path,
    *,
    seed: int,
    seconds: float,
    most: int,
    first: int = 0,
    limits: Limits = Limits(),
) -> Tally:
    """Read damaged files of a kind for a while.

    Args:
        kind: what to do.
        name: of the kind.
        folder: to work in, empty.
        keep: where inputs that show a fault go.
        seed: of the damage, with the kind's name and the number of the input.
        seconds: to stop after, once the libraries are loaded.
        most: inputs to stop after.
        first: number of the first input.
        limits: of each.
    """
    seeds = _made_seeds(kind, folder)
    kind.load()
    tally, number, begin = Tally(), first, time.monotonic()
    end = begin + seconds
    while number < first + most and time.monotonic() < end:
        last = min(number + _PER_CHILD, first + most)
        child = _Child(kind, name, folder, keep, seeds, seed, range(number, last), limits)
        for number, outcome, text in child.results(end):
            tally.counts[outcome] += 1
            if outcome in FAULTS and len(tally.faults) < _KEPT:
                tally.faults.append(f"{name} {seed}-{number}, {outcome}: {text}")
        number += 1
    tally.seconds = time.monotonic() - begin
    return tally


def serve(pipe: Connection, name: str, seconds: float, options: Namespace) -> None:
    """Run a kind as the command's options say, and send its tally."""
    with TemporaryDirectory() as folder:
        tally = run_kind(
            KINDS[name],
            name,
            Path(folder),
            options.keep.resolve(),
            seed=options.seed,
            seconds=seconds,
            most=options.inputs,
            first=options.first,
        )
    pipe.send(tally)


def input_of(kind: Kind, name: str, seeds: list[bytes], seed: int, number: int) -> bytes:
    """A damaged file: the same for the same seed, kind and number."""
    random = Random(f"{seed} {name} {number}")
    try:
        return kind.mutate(random, seeds)
    # What makes files may refuse what it is asked to write.
    except Exception:
        return damaged(random, seeds)


def _made_seeds(kind: Kind, folder: Path) -> list[bytes]:
    """The good files, made in a child: encoders leave threads behind, with which nobody forks."""
    store = folder / "seeds.pickle"
    pid = os.fork()
    if not pid:
        code = 1
        try:
            store.write_bytes(pickle.dumps(kind.make(folder)))
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
    if os.waitpid(pid, 0)[1]:
        raise RuntimeError("the good files could not be made")
    seeds: list[bytes] = pickle.loads(store.read_bytes())
    return seeds


class _Child:
    """A process that reads inputs one after the other and tells of each."""

    def __init__(  # noqa: PLR0917
        self, kind: Kind, name: str, folder: Path, keep: Path, seeds: list[bytes], seed: int,
        numbers: range, limits: Limits,
    ) -> None:  # fmt: skip
        self.path, self.crash = folder / kind.home, folder / "crash.txt"
        self.keep, self.limits, self.prefix = keep, limits, f"{name}-{seed}"
        self.out, self.into = os.pipe()
        self.pid = os.fork()
        if self.pid:
            os.close(self.into)
            return
        try:
            self._prepare()
            for number in numbers:
                self._tell(number, "begin", "")
                self.path.write_bytes(input_of(kind, name, seeds, seed, number))
                outcome, text, full = self._read(kind)
                if outcome in FAULTS:
                    _keep(self.path, self.keep, f"{self.prefix}-{number}", outcome, full)
                self._tell(number, outcome, text)
        finally:
            os._exit(0)

    def results(self, end: float):
        """Yields number, outcome and text of each input, as they come."""
        pending, buffer, since = None, b"", time.monotonic()
        while True:
            wait = since + self.limits.seconds - time.monotonic()
            ready = select.select([self.out], [], [], max(wait, 0))[0]
            data = os.read(self.out, 1 << 16) if ready else b""
            buffer += data
            *lines, buffer = buffer.split(b"\n")
            for line in lines:
                number, outcome, text = json.loads(line)
                since = time.monotonic()
                pending = number if outcome == "begin" else None
                if outcome != "begin":
                    yield number, outcome, text
            if data and time.monotonic() < end:
                continue
            # Out of time between two inputs, or the child has ended, or it hangs.
            hangs = not ready
            if hangs or data:
                os.kill(self.pid, signal.SIGKILL)
            status = os.waitpid(self.pid, 0)[1]
            os.close(self.out)
            if pending is not None and not data:
                died = os.waitstatus_to_exitcode(status)
                text = f"no end after {self.limits.seconds:g} s" if hangs else _death(died)
                full = self.crash.read_text() if self.crash.exists() else ""
                outcome = HANG if hangs else CRASH
                _keep(self.path, self.keep, f"{self.prefix}-{pending}", outcome, f"{text}\n{full}")
                yield pending, outcome, text
            return

    def _prepare(self) -> None:
        nothing = os.open(os.devnull, os.O_RDWR)
        for number in (0, 1, 2):
            os.dup2(nothing, number)
        faulthandler.enable(self.crash.open("w"))
        warnings.simplefilter("ignore")
        size = self.limits.allocatable << 20
        resource.setrlimit(resource.RLIMIT_DATA, (size, size))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))

    def _tell(self, number: int, outcome: str, text: str) -> None:
        os.write(self.into, json.dumps([number, outcome, text]).encode() + b"\n")

    def _read(self, kind: Kind) -> tuple[str, str, str]:
        """Outcome, a line about it, and all about it."""
        from model.errors import InputError

        _forget_peak()
        outcome, text, full = READ, "", ""
        try:
            kind.read(self.path)
        except InputError as error:
            outcome, text = REFUSED, str(error)
            if not text or len(text) > _LONGEST or "\n" in text:
                outcome, full = TRACEBACK, f"no short sentence: {text!r}"
        except BaseException as error:
            outcome, text = TRACEBACK, f"{type(error).__name__}: {str(error)[:200]}"
            full = traceback.format_exc()
        peak = _peak_megabytes()
        if peak > self.limits.megabytes:
            text = f"{peak} MB"
            outcome, full = MEMORY, f"{text}\n{full}"
        return outcome, text, full


def _keep(path: Path, keep: Path, name: str, outcome: str, text: str) -> None:
    keep.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(OSError):
        shutil.copy(path, keep / f"{name}{path.suffix}")
        (keep / f"{name}.txt").write_text(f"{outcome}\n{text}\n", errors="backslashreplace")


def _death(code: int) -> str:
    return signal.Signals(-code).name if code < 0 else f"ended with {code}"


def _forget_peak() -> None:
    """Linux counts the peak from here on."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def _peak_megabytes() -> int:
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) >> 10
