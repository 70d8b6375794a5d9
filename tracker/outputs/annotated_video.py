"""The annotated video or picture of a run, drawn and encoded in a thread of its own."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from types import TracebackType
from typing import Self

from tracker.outputs.output import OutputFrame
from tracker.system.background_threads import WriteBehind
from tracker.video.picture_file import PictureWriter
from tracker.video.video_writer import VideoWriter


class AnnotatedVideo:
    """An `Output` that draws frames and writes them. A context manager.

    Args:
        writer: of the file; closed here.
        layers: what to draw.
        warn: told what happened to the sound, when the file is complete.
    """

    def __init__(
        self,
        writer: VideoWriter | PictureWriter,
        layers: frozenset[str],
        warn: Callable[[str], object],
    ) -> None:
        self._writer, self._layers, self._warn = writer, layers, warn
        self._thread = WriteBehind(self._work)
        # Undone in turn: what goes wrong while the thread ends takes the file away as well.
        self._open = ExitStack()
        self._open.push(writer)
        self._open.push(self._thread)

    def write(self, frame: OutputFrame) -> None:
        """Take a frame; what went wrong with an earlier one is raised here."""
        self._thread.put(frame)

    def close(self, early: bool = False) -> None:
        """Wait for the last frame and complete the file."""
        self._thread.close()
        if early:
            self._writer.cut_audio()
        self._writer.close()
        if isinstance(self._writer, VideoWriter):
            for text in self._writer.notes:
                self._warn(text)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._open.__exit__(kind, error, trace)

    def _work(self, frame: OutputFrame) -> None:
        self._writer.write(frame.drawn(self._layers), frame.timestamp)
