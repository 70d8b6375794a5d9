"""`python -m tests.fuzz`: damaged files for every reader, and a table of what became of them."""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
from pathlib import Path

# Before anything loads OpenMP: a library's threads for files of 64 pixels only cost.
os.environ.setdefault("OMP_NUM_THREADS", "1")

from tests.fuzz.readers import KINDS
from tests.fuzz.server import FAULTS, OUTCOMES, Tally, serve


def main() -> int:
    """Run, and print the table; 1 if any input showed a fault."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0, help="in all, shared by the kinds")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--inputs", type=int, default=10**9, help="of each kind at most")
    parser.add_argument("--first", type=int, default=0, help="number of the first input")
    parser.add_argument("--kinds", default=",".join(KINDS), help="some of them")
    parser.add_argument(
        "--keep", type=Path, default=Path("build/fuzz"), help="folder for what shows a fault"
    )
    options = parser.parse_args()
    names = options.kinds.split(",")
    share = options.seconds / len(names)
    rows = {name: _apart(name, share, options) for name in names}
    print(_table(rows))
    faults = [line for tally in rows.values() for line in tally.faults]
    if faults:
        print(f"\nkept in {options.keep}:", *faults, sep="\n")
    return 1 if any(tally.counts[one] for tally in rows.values() for one in FAULTS) else 0


def _apart(name: str, seconds: float, options: argparse.Namespace) -> Tally:
    """A kind in a process of its own, which has loaded its libraries and nothing else."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=serve, args=(theirs, name, seconds, options))
    process.start()
    theirs.close()
    try:
        tally: Tally = ours.recv()
    except EOFError:
        sys.exit(f"{name}: the process that reads ended.")
    process.join()
    return tally


def _table(rows: dict[str, Tally]) -> str:
    head = [
        "kind",
        "inputs",
        "read",
        "refused",
        "tracebacks",
        "crashes",
        "hangs",
        "over memory",
        "s",
    ]
    lines = [head]
    for name, tally in rows.items():
        counts = [tally.counts[one] for one in OUTCOMES]
        lines.append([name, *map(str, (sum(counts), *counts, round(tally.seconds)))])
    sums = [sum(int(line[at]) for line in lines[1:]) for at in range(1, len(head))]
    lines.append(["all", *map(str, sums)])
    widths = [max(len(line[at]) for line in lines) for at in range(len(head))]
    lines.insert(1, ["-" * width for width in widths])
    return "\n".join(
        "| " + " | ".join(cell.ljust(w) for cell, w in zip(line, widths, strict=True)) + " |"
        for line in lines
    )


if __name__ == "__main__":
    sys.exit(main())
