"""A command in a process of its own, with a log, a limit, and a clean end."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import IO, Literal

from model.stop_signals import ENDS_WITH_INPUT

Status = Literal["done", "failed", "cut off"]

# Training answers SIGTERM with a checkpoint of some hundred megabytes.
_GRACE = 20.0
_TICK = 0.5
_LINES = 12


@dataclass(frozen=True)
class Outcome:
    """How a command ended.

    Attributes:
        status: "cut off" if it was stopped at its limit.
        seconds: it took.
        code: exit code, negative for a signal.
        tail: last lines of what it printed.
    """

    status: Status
    seconds: float
    code: int
    tail: str


class Child:
    """A running command. If it is one of this project's, it ends with this process at the latest.

    Args:
        command: program and arguments.
        log: gets all that it prints; replaced.
        environment: added to this process's.
    """

    def __init__(
        self, command: Sequence[str], log: Path, environment: Mapping[str, str] | None = None
    ) -> None:
        self._log = log
        self._begin = monotonic()
        self._file: IO[bytes] = log.open("wb")
        # A session of its own: its loading processes end with it.
        self._process = subprocess.Popen(
            list(command),
            # Nothing comes by it but its end.
            stdin=subprocess.PIPE,
            stdout=self._file,
            stderr=subprocess.STDOUT,
            # Tables need room: without a terminal rich assumes 80 columns.
            env={
                **os.environ,
                "PYTHONUNBUFFERED": "1",
                "COLUMNS": "120",
                ENDS_WITH_INPUT: str(os.getpid()),
                **(environment or {}),
            },
            start_new_session=True,
        )

    def wait(self, limit: float, tick: Callable[[], object] = lambda: None) -> Outcome:
        """Wait for its end.

        Args:
            limit: seconds from now after which it is asked to end, and soon after killed.
            tick: called twice a second while it runs.
        """
        cut = False
        end = monotonic() + limit
        while self._process.poll() is None:
            if not cut and monotonic() >= end:
                cut = True
                self._process.send_signal(signal.SIGTERM)
                end = monotonic() + _GRACE
            elif cut and monotonic() >= end:
                break
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(min(_TICK, max(end - monotonic(), 0.01)))
            tick()
        self.kill()
        code = self._process.returncode
        status: Status = "cut off" if cut and code else "failed" if code else "done"
        return Outcome(status, monotonic() - self._begin, code, self._tail())

    def kill(self) -> None:
        """End it and all that it has started, if it still runs."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._file.close()
        if self._process.stdin is not None:
            self._process.stdin.close()

    def _tail(self) -> str:
        """The last lines; a progress bar's line counts as it was last drawn."""
        text = self._log.read_bytes().decode(errors="replace")
        lines = [line.rsplit("\r", 1)[-1].rstrip() for line in text.split("\n")]
        return "\n".join([line for line in lines if line][-_LINES:])
