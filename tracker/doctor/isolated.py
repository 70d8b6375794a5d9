"""A look at something that may crash or hang: in a process of its own, for so many seconds."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import astuple
from importlib import import_module

from tracker.doctor.row import Row

# A probe's name, for its own failure, and its function: "module:function", without arguments,
# giving rows. A name and not the function, so that importing it happens under protection.
Probe = tuple[str, str]

_CHILD = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from tracker.doctor.isolated import answer; answer(*sys.argv[2:])"
)


def look(probe: Probe, seconds: float) -> list[Row]:
    """The rows of a probe; one that says so where it raises, dies or takes too long.

    Args:
        probe: what to call.
        seconds: how long to wait for it.
    """
    name, function = probe
    # Modules are found where this process finds them.
    command = [sys.executable, "-c", _CHILD, json.dumps(sys.path), name, function]
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            # Of a child that is broken off as it starts, too.
            stderr=subprocess.DEVNULL,
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return [Row(name, f"no answer within {seconds:g} s", "failed")]
    try:
        return [Row(*fields) for fields in json.loads(done.stdout)]
    except ValueError:
        end = _end(done.returncode)
        return [Row(name, f"the look at it died: {end}", "failed")]


def answer(name: str, function: str) -> None:
    """The child: prints the rows as JSON, and nothing that a library prints beside them."""
    out = os.dup(1)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    try:
        module, _, called = function.partition(":")
        rows = getattr(import_module(module), called)()
    except Exception as error:
        rows = [_failure(name, error)]
    with os.fdopen(out, "w", encoding="utf-8") as stream:
        json.dump([astuple(row) for row in rows], stream)


def _failure(name: str, error: Exception) -> Row:
    """The row of what could not be looked at."""
    kind = type(error).__name__
    text = " ".join(str(error).split())
    return Row(name, f"{kind}: {text}" if text else kind, "failed")


def _end(code: int) -> str:
    if code >= 0:
        return f"exit code {code}"
    with suppress(ValueError):
        return signal.Signals(-code).name
    return f"signal {-code}"
