"""A progress bar that lives with unknown and wrong totals."""

from __future__ import annotations

from typing import Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)

from tracker.runs.file_series import Result
from tracker.system.counted import counted
from tracker.video.frame_source import VideoInfo


class FrameBar:
    """Progress over the frames of a source, on stderr, gone when done. A context manager.

    Nothing is shown where stderr is not a terminal.

    Args:
        max_frames: frames after which the run will stop; None for all of them.
    """

    def __init__(self, max_frames: int | None = None) -> None:
        self._max_frames = max_frames
        self._task: TaskID | None = None
        self._total: int | None = None
        console = Console(stderr=True)
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[speed]}"),
            TimeRemainingColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )

    @property
    def state(self) -> tuple[int, int | None]:
        """Frames done and frames expected, as shown."""
        task = self._progress.tasks[0]
        total = None if task.total is None else int(task.total)
        return int(task.completed), total

    def start(self, info: VideoInfo) -> None:
        """Show the bar of a source."""
        known = [n for n in (info.expected_frames, self._max_frames) if n is not None]
        self._total = min(known, default=None)
        name = info.path.name if info.path else info.name
        self._task = self._progress.add_task(name, total=self._total, speed="")
        self._progress.start()

    def advance(self, count: int, latency: float | None = None) -> None:
        """Show that `count` frames are done, the last one `latency` seconds after it arrived."""
        if self._task is None:
            return
        if self._total is not None:
            # More frames than the header said: the bar stays full.
            self._total = max(self._total, count)
        speed = self._progress.tasks[0].speed
        self._progress.update(
            self._task,
            completed=count,
            total=self._total,
            speed=(f"{speed:.0f} frames/s" if speed else "")
            + (f", {1000 * latency:.0f} ms late" if latency is not None else ""),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *details: object) -> None:
        if self._task is not None:  # a bar that never started would leave an empty line
            self._progress.stop()


class FileBar:
    """Progress over files, on stderr, gone when done. A context manager.

    Nothing is shown where stderr is not a terminal, apart from what is said.

    Args:
        total: files.
        done: files that need not be done.
    """

    def __init__(self, total: int, done: int = 0) -> None:
        console = Console(stderr=True, highlight=False, soft_wrap=True)
        self._progress = Progress(
            TextColumn("files"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[frames]}"),
            TimeRemainingColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task = self._progress.add_task("", total=total, completed=done, frames="0 frames")
        self._frames = 0
        self._told: set[str] = set()

    def advance(self, frames: int) -> None:
        """One more file of so many frames is done."""
        self._frames += frames
        self._progress.update(self._task, advance=1, frames=counted(self._frames, "frame"))

    def tell(self, result: Result) -> None:
        """Print what is to be known of a file; a note on another one is not said again."""
        if result.error is not None:
            self.say(f"failed: {result.error}")
        if result.summary is None:
            return
        for text in result.summary.warnings:
            self.say(f"warning: {text}")
        for note in result.summary.source_notes:
            if note not in self._told:
                self._told.add(note)
                self.say(f"{result.job.source}: {note}")

    def say(self, text: str) -> None:
        """Print a line above the bar."""
        self._progress.console.print(text, markup=False)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *details: object) -> None:
        self._progress.stop()
