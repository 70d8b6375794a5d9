"""Where the results of one run go: annotated video, table and preview."""

from __future__ import annotations

from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from model.markup import Markup
from tracker.draw import draw_faces
from tracker.pipeline import WriteBehind
from tracker.preview import Preview
from tracker.results import Face
from tracker.table import CsvTable
from tracker.writer import VideoWriter


class Sinks:
    """Hands every frame to what was asked for. A context manager; does not own its sinks.

    Drawing and encoding have a thread of their own; windows belong to the main thread.

    Args:
        markup: of the landmarks.
        layers: what to draw.
        writer: annotated video, or None.
        table: table of landmarks, or None.
        preview: window, or None.
    """

    def __init__(
        self,
        markup: Markup,
        layers: frozenset[str],
        writer: VideoWriter | None,
        table: CsvTable | None,
        preview: Preview | None,
    ) -> None:
        self._markup, self._layers = markup, layers
        self._writer, self._table, self._preview = writer, table, preview
        self._video = WriteBehind(self._write_video) if writer is not None else None

    def write(
        self, number: int, timestamp: float, image: NDArray[np.uint8], faces: tuple[Face, ...]
    ) -> bool:
        """Take a frame; False if the user wants no more."""
        if self._table is not None:
            self._table.write(number, timestamp, faces)
        wanted = True
        if self._preview is not None:
            image, faces = draw_faces(image, faces, self._markup, self._layers), ()
            wanted = self._preview.show(image)
        if self._video is not None:
            self._video.put((timestamp, image, faces))
        return wanted

    def cut_audio(self) -> None:
        """The source was not read to its end."""
        if self._writer is not None:
            self._writer.cut_audio()

    def close(self) -> None:
        """Complete the files."""
        if self._video is not None:
            self._video.close()
        for sink in (self._writer, self._table):
            if sink is not None:
                sink.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._video is not None:
            self._video.__exit__(kind, error, trace)

    def _write_video(self, frame: tuple[float, NDArray[np.uint8], tuple[Face, ...]]) -> None:
        timestamp, image, faces = frame
        if self._writer is not None:
            drawn = draw_faces(image, faces, self._markup, self._layers)
            self._writer.write(drawn, timestamp)
