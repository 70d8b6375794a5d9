"""The progress of building an engine, on the terminal."""

from __future__ import annotations

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from tracker.system.closing import Closing


class BuildBar(Closing):
    """A `BuildWatcher` that prints sentences and shows a bar while a build runs; on stderr.

    A context manager. Nothing is shown before the first report.
    """

    def __init__(self) -> None:
        columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
        self._console = Console(stderr=True)
        self._progress = Progress(
            *columns,
            console=self._console,
            transient=True,
            disable=not self._console.is_terminal,
        )
        self._task = self._progress.add_task("", total=1.0, visible=False)
        self._shown = False

    def say(self, text: str) -> None:
        """Print a sentence; a bar goes before it, since the last one says that all is built."""
        self.close()
        self._console.print(text, soft_wrap=True)

    def report(self, phase: str, done: float) -> None:
        """Show the phase that runs and its share done."""
        if not self._shown:
            self._progress.start()
            self._shown = True
        self._progress.update(self._task, description=phase, completed=done, visible=True)

    def close(self) -> None:
        """Take the bar off the screen: left there it would be in the way of the next one."""
        if self._shown:
            self._progress.stop()
            self._shown = False
