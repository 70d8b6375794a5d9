"""The progress of a build on the terminal."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from tracker.engines.tensorrt.builder import Report


@contextmanager
def build_progress(console: Console) -> Iterator[Report]:
    """A bar that shows the phase of the build that runs, and the time since it began.

    Args:
        console: where to show it.

    Yields:
        What the builder reports to. Nothing is shown before the first report.
    """
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("", total=1.0, visible=False)

        def report(phase: str, done: float) -> None:
            progress.update(task, description=phase, completed=done, visible=True)

        yield report
