"""A look at something that may crash or hang: in a process of its own, for so many seconds."""

from __future__ import annotations

import multiprocessing
import os
import signal
from contextlib import suppress
from importlib import import_module
from multiprocessing.connection import Connection

from tracker.doctor.row import Row

# A probe's name, for its own failure, and its function: "module:function", without arguments,
# giving rows. A name and not the function, so that importing it happens under protection.
Probe = tuple[str, str]


def look(probe: Probe, seconds: float) -> list[Row]:
    """The rows of a probe; one that says so where it raises, dies or takes too long.

    Args:
        probe: what to call.
        seconds: how long to wait for it.
    """
    name, _ = probe
    # Spawned, not forked: nothing is loaded that the probe does not load itself.
    context = multiprocessing.get_context("spawn")
    receiving, sending = context.Pipe(duplex=False)
    child = context.Process(target=_answer, args=(sending, probe), daemon=True)
    child.start()
    # Ours must be closed for the end of the child to be seen.
    sending.close()
    try:
        if not receiving.poll(seconds):
            return [Row(name, f"no answer within {seconds:g} s", "failed")]
        rows: list[Row] = receiving.recv()
    except (EOFError, OSError):
        child.join(1)
        return [Row(name, f"the look at it died: {_end(child.exitcode)}", "failed")]
    finally:
        child.kill()
        child.join()
        receiving.close()
    return rows


def _answer(sending: Connection, probe: Probe) -> None:
    """The child: sends the rows."""
    name, function = probe
    # What native libraries print belongs neither into the report nor beside it.
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for descriptor in (1, 2):
        with suppress(OSError):
            os.dup2(nowhere, descriptor)
    try:
        module, _, called = function.partition(":")
        rows = getattr(import_module(module), called)()
    except Exception as error:
        rows = [failure(name, error)]
    sending.send(rows)
    sending.close()


def failure(name: str, error: Exception) -> Row:
    """The row of what could not be looked at."""
    kind = type(error).__name__
    text = " ".join(str(error).split())
    return Row(name, f"{kind}: {text}" if text else kind, "failed")


def _end(code: int | None) -> str:
    if code is None or code >= 0:
        return f"exit code {code}"
    with suppress(ValueError):
        return signal.Signals(-code).name
    return f"signal {-code}"
