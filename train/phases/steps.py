"""Phases under one clock: run, waited for, entered in the diary."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from time import monotonic
from typing import Self

from rich.console import Console

from train.phases.child import Child, Outcome
from train.phases.diary import Diary

# A phase with less is not begun.
LEAST_SECONDS = 1.0
# A phase by name, and its process.
Started = tuple[str, Child]


class Steps:
    """Runs phases under the clock; as a context it ends those that still run.

    Args:
        diary: where their ends are entered; logs and figures lie in its reports.
        skipped: names that are not run.
        deadline: of everything, on the monotonic clock.
    """

    def __init__(self, diary: Diary, skipped: Sequence[str], deadline: float) -> None:
        self.diary, self._skipped, self._deadline = diary, skipped, deadline
        self._console = Console(highlight=False)
        self._running: list[Child] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        for child in self._running:
            child.kill()

    def left(self) -> float:
        """Seconds left, at least 0."""
        return max(self._deadline - monotonic(), 0.0)

    def say(self, text: str) -> None:
        """Print a line with the time that is left."""
        self._console.print(f"[{self.left():4.0f} s left] {text}", markup=False, soft_wrap=True)

    def json(self, name: str) -> tuple[str, str]:
        """The option by which a phase writes its figures."""
        return "--json", str(self.diary.reports / f"{name}.json")

    def wanted(self, name: str, needs: Path | None = None) -> bool:
        """Whether a phase is to run; enters why not."""
        if self.diary.finished(name):
            return False
        why = ""
        if name in self._skipped:
            why = "skipped"
        elif needs is not None and not needs.is_file():
            why = f"there is no {needs.name}"
        elif self.left() < LEAST_SECONDS:
            why = "no time left"
        if why:
            self.diary.skip(name, why)
            self.say(f"{name}: {why}")
        return not why

    def start(
        self,
        name: str,
        command: Sequence[str],
        environment: dict[str, str] | None = None,
        needs: Path | None = None,
    ) -> Started | None:
        """Begin a phase that others run beside."""
        if not self.wanted(name, needs):
            return None
        self.say(f"{name} begins")
        child = Child(command, self.diary.reports / f"{name}.log", environment)
        self._running.append(child)
        return name, child

    def finish(
        self,
        started: Started | None,
        limit: float,
        tick: Callable[[], object] = lambda: None,
    ) -> Outcome | None:
        """Wait for a phase, at most so many seconds, and enter how it ended."""
        if started is None:
            return None
        name, child = started
        outcome = child.wait(min(limit, self.left()), tick)
        self._running.remove(child)
        self.diary.note(name, outcome)
        self.say(f"{name}: {outcome.status} after {outcome.seconds:.0f} s")
        if outcome.status != "done":
            self._console.print(outcome.tail, markup=False, highlight=False)
        return outcome

    def run(
        self,
        name: str,
        command: Sequence[str],
        limit: float = float("inf"),
        *,
        environment: dict[str, str] | None = None,
        needs: Path | None = None,
        tick: Callable[[], object] = lambda: None,
    ) -> Outcome | None:
        """Run a phase, at most so many seconds."""
        return self.finish(self.start(name, command, environment, needs), limit, tick)
